package instance

import (
	"net/http"
	"testing"
)

// TestHead asks for headers alone: each address answers as to GET, and a stream ends.
func TestHead(t *testing.T) {
	t.Parallel()
	a := running(t)

	probes := "http://" + a.probes.Addr().String()
	for url, want := range map[string]int{
		a.URL() + "/": 200, a.URL() + "/healthz": 200, a.URL() + "/readyz": 200, a.URL() + "/api/v2/dags": 200,
		a.URL() + "/api/v2/dags/absent": 404, a.URL() + "/events": 200, a.URL() + "/hooks/gitlab": 404,
		probes + "/healthz": 200, probes + "/": 404,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("HEAD %s: %d, want %d", url, response.StatusCode, want)
		}
		if want == 200 && response.Header.Get("Content-Type") == "" {
			t.Errorf("HEAD %s has no Content-Type", url)
		}
	}
}
