package pod

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

// apiServer is an API server within the test's own bubble of time: it has the test's
// pods and no events, nothing ever changes in its watches, and the test answers
// creations and deletions.
type apiServer struct {
	pods   []corev1.Pod
	delete func(*http.Request) *apierrors.StatusError // nil deletes
	away   func() bool                                // whether connections fail
	create func(*corev1.Pod) *apierrors.StatusError   // nil makes the pod
}

// client reaches the server as Dial's client would.
func (s *apiServer) client(t *testing.T) rest.Interface {
	t.Helper()
	config := &rest.Config{Host: "http://kubernetes", QPS: -1, APIPath: "/api"}
	config.GroupVersion = &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(known).WithoutConversion()
	client, err := rest.RESTClientForConfigAndClient(config, &http.Client{Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// RoundTrip answers one request.
func (s *apiServer) RoundTrip(r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	switch {
	case s.away != nil && s.away():
		return nil, io.ErrUnexpectedEOF
	case query.Get("sendInitialEvents") == "true":
		return answerRefused(http.StatusUnprocessableEntity, metav1.Status{Reason: metav1.StatusReasonInvalid})
	case query.Get("watch") == "true":
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: newSilence(r),
		}, nil
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/pods"):
		return answer(http.StatusOK, &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: s.pods})
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/events"):
		return answer(http.StatusOK, &corev1.EventList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}})
	case r.Method == http.MethodPost:
		return s.created(r)
	case r.Method == http.MethodDelete:
		if refused := s.delete(r); refused != nil {
			return answerRefused(int(refused.ErrStatus.Code), refused.ErrStatus)
		}
		return answer(http.StatusOK, &metav1.Status{Status: metav1.StatusSuccess})
	}
	return answerRefused(http.StatusNotFound, metav1.Status{Reason: metav1.StatusReasonNotFound})
}

func (s *apiServer) created(r *http.Request) (*http.Response, error) {
	var pod corev1.Pod
	if err := json.NewDecoder(r.Body).Decode(&pod); err != nil {
		return nil, err
	}
	if refused := s.create(&pod); refused != nil {
		return answerRefused(int(refused.ErrStatus.Code), refused.ErrStatus)
	}
	return answer(http.StatusCreated, &pod)
}

func answerRefused(code int, status metav1.Status) (*http.Response, error) {
	status.Status, status.Code = metav1.StatusFailure, int32(code)
	return answer(code, &status)
}

func answer(code int, object runtime.Object) (*http.Response, error) {
	body, err := runtime.Encode(serializer.NewCodecFactory(known).LegacyCodec(corev1.SchemeGroupVersion), object)
	return &http.Response{
		StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)),
	}, err
}

// newSilence is a body that nothing comes from until its request ends.
func newSilence(r *http.Request) io.ReadCloser {
	body, end := io.Pipe()
	go func() {
		<-r.Context().Done()
		end.CloseWithError(r.Context().Err())
	}()
	return body
}
