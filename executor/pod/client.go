package pod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
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
	// as client-go counts them; a QPS of 0 means no bound. The API server's own
	// limits (429, Retry-After) are honoured in any case.
	QPS   float32
	Burst int
	// Wrap goes around the transport of the requests; may be nil.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Dial returns a client of the cluster's core/v1 API, which has the pods, their
// logs and their events. It does not connect yet; the error says what is wrong with
// the kubeconfig or the service account.
//
// It is a plain REST client: a clientset carries every type of Kubernetes, and is
// more than half of a program that looks at two.
func Dial(a Access) (rest.Interface, error) { return a.dial("/api", corev1.SchemeGroupVersion) }

// Reviews asks a cluster whose a service account's token is. DialReviews makes one.
type Reviews struct{ client rest.Interface }

// DialReviews returns Reviews of the cluster. Its errors are as those of Dial.
func DialReviews(a Access) (*Reviews, error) {
	client, err := a.dial("/apis", authenticationv1.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	return &Reviews{client}, nil
}

// Create asks one question and returns it with the answer; Kubernetes keeps neither.
func (r *Reviews) Create(
	ctx context.Context, review *authenticationv1.TokenReview, options metav1.CreateOptions,
) (*authenticationv1.TokenReview, error) {
	answer := &authenticationv1.TokenReview{}
	return answer, r.client.Post().Resource("tokenreviews").VersionedParams(&options,
		parameters).Body(review).Do(ctx).Into(answer)
}

// pods reaches the pods of a namespace. The errors of its methods are those of
// k8s.io/apimachinery/pkg/api/errors.
type pods struct {
	client    rest.Interface
	namespace string
}

func (p pods) create(ctx context.Context, pod *corev1.Pod, options metav1.CreateOptions) (*corev1.Pod, error) {
	made := &corev1.Pod{}
	return made, p.of(p.client.Post()).VersionedParams(&options, parameters).Body(pod).Do(ctx).Into(made)
}

func (p pods) get(ctx context.Context, name string) (*corev1.Pod, error) {
	found := &corev1.Pod{}
	return found, p.of(p.client.Get()).Name(name).Do(ctx).Into(found)
}

func (p pods) patch(ctx context.Context, name string, kind types.PatchType, patch []byte) error {
	return p.of(p.client.Patch(kind)).Name(name).Body(patch).Do(ctx).Error()
}

func (p pods) delete(ctx context.Context, name string, options metav1.DeleteOptions) error {
	return p.of(p.client.Delete()).Name(name).Body(&options).Do(ctx).Error()
}

// namesOnly asks for no more of the deleted pods than their names and marks.
const namesOnly = runtime.ContentTypeProtobuf + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1," +
	runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON

// deleteAll deletes the pods that a label selector selects. Each is given the time to end
// that it has by itself, and one in which nothing runs is gone at once.
func (p pods) deleteAll(ctx context.Context, selector string) error {
	return p.of(p.client.Delete()).VersionedParams(&metav1.ListOptions{LabelSelector: selector}, parameters).
		SetHeader("Accept", namesOnly).Body(&metav1.DeleteOptions{}).Do(ctx).Error()
}

// log reads what a container of a pod has written.
func (p pods) log(ctx context.Context, name string, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	return p.of(p.client.Get()).Name(name).SubResource("log").VersionedParams(options, parameters).Stream(ctx)
}

func (p pods) of(request *rest.Request) *rest.Request {
	return request.Namespace(p.namespace).Resource("pods")
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
	if a.QPS == 0 {
		config.QPS = -1 // client-go takes 0 for 5
	}
	config.UserAgent = "dagwright"
	if a.Wrap != nil {
		config.Wrap(a.Wrap)
	}
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
