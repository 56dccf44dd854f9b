package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is the served OpenAPI document, by which the tests of this package
// check every JSON answer that they get.
type document struct {
	paths    map[string]map[string]operationJSON
	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

// operationJSON is what the tests look at of an operation.
type operationJSON struct {
	ID         string `json:"operationId"`
	Parameters []struct {
		Name, In string
		Schema   map[string]any
	}
	RequestBody struct {
		Content map[string]struct {
			Schema struct {
				Properties map[string]any
			}
		}
	}
	Responses map[string]struct {
		Ref     string `json:"$ref"`
		Content map[string]any
	}
}

const documentURL = "https://dagwright.invalid/openapi.json"

func readDocument(t *testing.T, address string) *document {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/openapi.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Paths map[string]map[string]operationJSON
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(documentURL, whole); err != nil {
		t.Fatal(err)
	}
	return &document{paths: d.Paths, compiler: c}
}

// find returns the operation of a request, and its path with names in braces.
func (d *document) find(method, path string) (string, operationJSON, bool) {
	path, _, _ = strings.Cut(path, "?")
	for _, pattern := range slices.Sorted(maps.Keys(d.paths)) { // "{" sorts behind letters
		named := strings.NewReplacer("{", ":", "}", "").Replace(pattern)
		if op, ok := d.paths[pattern][strings.ToLower(method)]; ok && matches(named, path) {
			return pattern, op, true
		}
	}
	return "", operationJSON{}, false
}

// check fails the test when an answer has a status or a media type that the
// document does not know, or a body that its schema refuses.
func (d *document) check(t *testing.T, method, path string, a answer) {
	t.Helper()
	pattern, op, ok := d.find(method, path)
	if !ok || a.status >= http.StatusInternalServerError && a.status != http.StatusServiceUnavailable {
		return
	}
	known, ok := op.Responses[fmt.Sprint(a.status)]
	if !ok {
		t.Errorf("%s %s: status %d is not in the document: %.300s", method, path, a.status, a.body)
		return
	}
	place := []string{"paths", pattern, strings.ToLower(method), "responses", fmt.Sprint(a.status)}
	if name, ok := strings.CutPrefix(known.Ref, "#/components/responses/"); ok {
		place, known.Content = []string{"components", "responses", name}, map[string]any{"application/json": nil}
	}
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if _, ok := known.Content[media]; !ok && a.body != "" {
		t.Errorf("%s %s: media type %q of status %d is not in the document", method, path, media, a.status)
	}
	if media != "application/json" {
		return
	}
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(a.body))
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return
	}
	if err := d.schema(t, append(place, "content", media, "schema")...).Validate(body); err != nil {
		t.Errorf("%s %s: answer breaks its schema: %v", method, path, err)
	}
}

func (d *document) schema(t *testing.T, place ...string) *jsonschema.Schema {
	t.Helper()
	pointer := ""
	for _, p := range place {
		pointer += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.compiler.Compile(documentURL + "#" + pointer)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDocumentHasEveryRoute(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := newServer(Config{Store: f.store, Logs: f.logs})
	var routed, documented []string
	for _, r := range s.routes {
		routed = append(routed, r.method+" "+prefix+braces(r.path))
		if r.operation.id == "" || r.operation.tag == "" || r.operation.summary == "" {
			t.Errorf("%s %s has no id, tag or summary", r.method, r.path)
		}
	}
	seen := map[string]bool{}
	for path, methods := range f.document.paths {
		for method, op := range methods {
			documented = append(documented, strings.ToUpper(method)+" "+path)
			if seen[op.ID] {
				t.Errorf("operation id %s stands twice", op.ID)
			}
			seen[op.ID] = true
			if a := f.do(strings.ToUpper(method), strings.NewReplacer("{", "", "}", "").Replace(path)+"?nonsense=1",
				"{}"); a.status == http.StatusMethodNotAllowed || a.body == `{"detail":"Not Found"}` {
				t.Errorf("%s %s is not routed: %s", method, path, a.body)
			}
		}
	}
	slices.Sort(routed)
	slices.Sort(documented)
	if diff := cmp.Diff(routed, documented); diff != "" {
		t.Errorf("routes and document (-routed +documented):\n%s", diff)
	}
}

// Every documented parameter and field must be one that its handler reads: one
// that is not read is refused as unknown.
func TestDocumentHasNoMoreThanTheHandlers(t *testing.T) {
	t.Parallel()
	f := scene(t)
	filled := strings.NewReplacer("{dag_id}", "churn-model-retrain", "{dag_run_id}", "first", "{task_id}", "prepare_data",
		"{try_number}", "2", "{version_number}", "1", "{import_error_id}", "1", "{event_log_id}", "1", "{push_id}", "1",
		"{backfill_id}", "1")
	for path, methods := range f.document.paths {
		for method, op := range methods {
			where := strings.ToUpper(method) + " " + path
			for _, p := range op.Parameters {
				if p.In != "query" {
					continue
				}
				a := f.do(strings.ToUpper(method), filled.Replace(path)+"?"+p.Name+"=1&interval=x&follow=false&limit=0",
					`{"is_paused": true}`)
				if strings.Contains(a.body, "`"+p.Name+"` is not supported\"") {
					t.Errorf("%s: parameter %s is documented and not read: %s", where, p.Name, a.body)
				}
			}
			for name := range op.RequestBody.Content["application/json"].Schema.Properties {
				a := f.do(strings.ToUpper(method), filled.Replace(path), `{"`+name+`": {}, "nonsense": 1}`)
				if !strings.Contains(a.body, `"loc":["body","nonsense"]`) ||
					strings.Contains(a.body, `{"type":"extra_forbidden","loc":["body","`+name+`"]`) {
					t.Errorf("%s: field %s is documented and not read: %d %s", where, name, a.status, a.body)
				}
			}
		}
	}
}

// What a handler reads and the document does not name is refused.
func TestUndocumentedIsRefused(t *testing.T) {
	t.Parallel()
	f := scene(t)
	for path, methods := range f.document.paths {
		if _, ok := methods["get"]; !ok || strings.Contains(path, "{") {
			continue
		}
		if a := f.do("GET", path+"?nonsense=1", ""); a.status != http.StatusBadRequest ||
			!strings.Contains(a.body, "nonsense") {
			t.Errorf("GET %s?nonsense=1: %d %s", path, a.status, a.body)
		}
	}
}

// The document stands in docs, too, where a review sees what changes for clients.
func TestDocumentFile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const file = "../docs/openapi.json"
	got := f.do("GET", "/api/v2/openapi.json", "").body + "\n"
	got = strings.Replace(got, `"version": "1.2.3"`, `"version": "0"`, 1)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/openapi.json is not what is served; run the test with -update (-want +got):\n%s", diff)
	}
}
