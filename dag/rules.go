package dag

// TriggerRule says how the states of a task's upstream tasks decide whether it
// runs.
type TriggerRule string

// Airflow 3.3's trigger rules.
const (
	AllSuccess              TriggerRule = "all_success"
	AllFailed               TriggerRule = "all_failed"
	AllDone                 TriggerRule = "all_done"
	AllDoneMinOneSuccess    TriggerRule = "all_done_min_one_success"
	AllDoneSetupSuccess     TriggerRule = "all_done_setup_success"
	OneSuccess              TriggerRule = "one_success"
	OneFailed               TriggerRule = "one_failed"
	OneDone                 TriggerRule = "one_done"
	NoneFailed              TriggerRule = "none_failed"
	NoneSkipped             TriggerRule = "none_skipped"
	Always                  TriggerRule = "always"
	NoneFailedMinOneSuccess TriggerRule = "none_failed_min_one_success"
	AllSkipped              TriggerRule = "all_skipped"
)

// TriggerRules lists every trigger rule that a spec may name.
var TriggerRules = []TriggerRule{
	AllSuccess, AllFailed, AllDone, AllDoneMinOneSuccess, AllDoneSetupSuccess,
	OneSuccess, OneFailed, OneDone, NoneFailed, NoneSkipped, Always,
	NoneFailedMinOneSuccess, AllSkipped,
}
