package instance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"k8s.io/klog/v2"

	"dagwright/executor"
	"dagwright/executor/pod"
	"dagwright/podspec"
	"dagwright/tasklog"
	"dagwright/version"
)

// kubernetesConfig is the section "kubernetes" of the configuration file. Its
// policy holds for every spec that the instance loads, whatever runs the tasks.
type kubernetesConfig struct {
	// Kubeconfig is a file; empty means the service account of the pod that
	// dagwright itself runs in.
	Kubeconfig string `yaml:"kubeconfig"`
	// Context of the kubeconfig; empty means its current one.
	Context string `yaml:"context"`
	// Namespace of pods whose task names none.
	Namespace string `yaml:"namespace"`
	// Instance tells the pods of several installations apart.
	Instance string `yaml:"instance"`
	// QPS and Burst bound the requests to the API server. A QPS of 0 means no bound,
	// a Burst of 0 twice the QPS.
	QPS   float64 `yaml:"qps"`
	Burst int     `yaml:"burst"`
	// StartupTimeout bounds a pod's start when its task does not say; 2 minutes
	// when it is 0.
	StartupTimeout time.Duration  `yaml:"startup_timeout"`
	Policy         podspec.Policy `yaml:"policy"`
}

// The values that a section without them has. They are good for checking specs
// only: an instance that runs pods must choose its own.
const (
	checkNamespace = "default"
	checkInstance  = "dagwright"
)

// pods is the section as podspec wants it.
func (c kubernetesConfig) pods() podspec.Config {
	p := podspec.Config{Instance: c.Instance, Namespace: c.Namespace, StartupTimeout: c.StartupTimeout, Policy: c.Policy}
	if p.Instance == "" {
		p.Instance = checkInstance
	}
	if p.Namespace == "" {
		p.Namespace = checkNamespace
	}
	return p
}

// check reports what is wrong with the section. runs says that the instance runs its tasks as pods.
func (c kubernetesConfig) check(f *configFile, runs bool) {
	f.want(!runs || c.Namespace != "", "kubernetes.namespace", "want the namespace of the tasks' pods")
	f.want(!runs || c.Instance != "", "kubernetes.instance",
		"want a name that no other dagwright in the cluster has, such as prod")
	f.want(c.Context == "" || c.Kubeconfig != "", "kubernetes.context",
		"names a context, but there is no kubernetes.kubeconfig")
	f.wantAll("kubernetes", c.pods().Validate())
}

// AnyInstance allows what depends on an instance's own settings. It stands where
// the instance is not known: specs are then read strictly and checked against Pod
// Security.
func AnyInstance() podspec.Config {
	return podspec.Config{Instance: checkInstance, Namespace: checkNamespace, Policy: podspec.Policy{
		Namespaces: []string{"*"}, ServiceAccounts: []string{"*"}, ServiceAccountToken: true,
		PriorityClasses: []string{"*"}, RuntimeClasses: []string{"*"}, Schedulers: []string{"*"},
		ResourceClaims: []string{"*"},
		VolumeClaims:   []string{"*"}, StorageClasses: []string{"*"}, CSIDrivers: []string{"*"}, CSIAttributes: []string{"*"},
		NodeProfiles: []string{"*"}, Labels: []string{"*"}, Annotations: []string{"*"},
	}}
}

// podRules changes whenever the instance's rules for pods do, or the program
// that checks specs against them.
func podRules(c podspec.Config) string {
	text, _ := json.Marshal([]any{c, version.String()}) // strings, numbers, lists and maps always marshal
	sum := sha256.Sum256(text)
	return "rules:" + hex.EncodeToString(sum[:6])
}

// open opens the executor of the pods that are made for a database. wrap goes around the
// transport of its requests.
func (c kubernetesConfig) open(database string, logs *tasklog.Dir, logger *slog.Logger,
	wrap func(http.RoundTripper) http.RoundTripper) (executor.Executor, error) {
	access := pod.Access{Kubeconfig: c.Kubeconfig, Context: c.Context, QPS: float32(c.QPS), Burst: c.Burst, Wrap: wrap}
	if access.Burst == 0 {
		access.Burst = max(1, int(2*access.QPS))
	}
	klog.SetSlogLogger(slog.New(clientHandler{logger.Handler()})) // what Kubernetes' client says of itself
	client, err := pod.Dial(access)
	if err != nil {
		return nil, err
	}
	pods := c.pods()
	pods.Database = database
	return pod.Open(pod.Config{Client: client, Pods: pods, Logs: logs, Logger: logger})
}

// clientHandler keeps out of the log that a request ended because dagwright no longer wanted
// it, which Kubernetes' client takes for an error.
type clientHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h clientHandler) Handle(ctx context.Context, r slog.Record) error {
	unwanted := false
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		unwanted = ok && errors.Is(err, context.Canceled)
		return !unwanted
	})
	if unwanted {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h clientHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return clientHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h clientHandler) WithGroup(name string) slog.Handler {
	return clientHandler{h.Handler.WithGroup(name)}
}
