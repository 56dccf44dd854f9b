package podspec

// Policy is what the specs of an instance may ask for. The zero Policy is a safe
// one.
type Policy struct {
}
