package pod

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Access says how to reach a cluster.
type Access struct {
	// Kubeconfig is a file as kubectl reads it; empty means the service account
	// of the pod that dagwright itself runs in.
	Kubeconfig string
	// Context of the kubeconfig; empty for its current one.
	Context string
	// QPS and Burst bound the requests a second and how many may come at once,
	// as client-go counts them. The API server's own limits (429) are honoured
	// in any case.
	QPS   float32
	Burst int
}

// Dial returns a client of the cluster. It does not connect yet; the error says
// what is wrong with the kubeconfig or the service account.
func Dial(a Access) (kubernetes.Interface, error) {
	config, err := a.config()
	if err != nil {
		return nil, fmt.Errorf("find Kubernetes: %w", err)
	}
	config.QPS, config.Burst = a.QPS, a.Burst
	config.UserAgent = "dagwright"
	// Half the work and memory of JSON.
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of Kubernetes: %w", err)
	}
	return client, nil
}

func (a Access) config() (*rest.Config, error) {
	if a.Kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if errors.Is(err, rest.ErrNotInCluster) {
			return nil, errors.New("kubeconfig names no file, and dagwright runs in no pod")
		}
		return config, err
	}
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: a.Kubeconfig}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: a.Context}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
}
