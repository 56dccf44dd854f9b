package podspec

// The labels and annotations that Build writes.
const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	managedBy      = "dagwright"
	labelInstance  = "dagwright/instance"

	annotationAttempt = "dagwright/attempt"
	annotationOptions = "dagwright/options"
)
