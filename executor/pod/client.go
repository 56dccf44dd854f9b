package pod

import (
	"errors"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/gentype"
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

// Dial returns a client of the cluster's core/v1 API, which has the pods, their
// logs and their events. It does not connect yet; the error says what is wrong with
// the kubeconfig or the service account.
//
// It is a plain REST client: a clientset carries every type of Kubernetes, and is
// more than half of a program that looks at two.
func Dial(a Access) (rest.Interface, error) { return a.dial("/api", corev1.SchemeGroupVersion) }

// DialReviews returns a client of the cluster's token reviews, which say whose a
// service account's token is. Its errors are as those of Dial.
func DialReviews(a Access) (*gentype.Client[*authenticationv1.TokenReview], error) {
	client, err := a.dial("/apis", authenticationv1.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	newReview := func() *authenticationv1.TokenReview { return &authenticationv1.TokenReview{} }
	return gentype.NewClient("tokenreviews", client, parameters, "", newReview), nil
}

// known are the types of Kubernetes that dagwright reads and writes.
var known = newScheme()

var parameters = runtime.NewParameterCodec(known)

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(authenticationv1.AddToScheme(scheme))
	return scheme
}

func (a Access) dial(path string, version schema.GroupVersion) (rest.Interface, error) {
	config, err := a.config()
	if err != nil {
		return nil, fmt.Errorf("find Kubernetes: %w", err)
	}
	config.APIPath, config.GroupVersion = path, &version
	config.NegotiatedSerializer = serializer.NewCodecFactory(known).WithoutConversion()
	config.QPS, config.Burst = a.QPS, a.Burst
	config.UserAgent = "dagwright"
	// Half the work and memory of JSON.
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := rest.RESTClientFor(config)
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
