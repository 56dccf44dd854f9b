package gitlabtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// operation is one call of GitLab's REST API (version 4) as its documentation
// describes it, with the parameters that this project may send. A request with
// anything else fails the test: a real GitLab would ignore what it does not know,
// and nobody would notice.
type operation struct {
	method string
	path   string // with :name for a variable segment
	query  map[string]kind
	body   map[string]kind
	// required are the fields of the body that must be there.
	required []string
}

// kind is the type of a parameter, or the values that it may have, with | between
// them.
type kind string

const (
	text    kind = "string"
	number  kind = "integer"
	boolean kind = "boolean"
	texts   kind = "array"
)

// paging is understood by every list.
var paging = map[string]kind{"page": number, "per_page": number}

// contract is every call that gitlab.Client makes.
var contract = []operation{
	{method: "GET", path: "/personal_access_tokens/self"},
	{method: "GET", path: "/projects/:id"},
	{method: "GET", path: "/groups/:id/projects",
		query: with(paging, map[string]kind{"include_subgroups": boolean, "with_shared": boolean, "archived": boolean})},

	{method: "GET", path: "/projects/:id/repository/branches/:branch"},
	{method: "DELETE", path: "/projects/:id/repository/branches/:branch"},
	{method: "GET", path: "/projects/:id/repository/commits/:sha"},
	{method: "GET", path: "/projects/:id/repository/merge_base", query: map[string]kind{"refs[]": texts}},
	{method: "GET", path: "/projects/:id/repository/compare",
		query: map[string]kind{"from": text, "to": text, "straight": boolean}},
	{method: "GET", path: "/projects/:id/repository/tree",
		query: with(paging, map[string]kind{"ref": text, "path": text, "recursive": boolean})},
	{method: "GET", path: "/projects/:id/repository/files/:path/raw", query: map[string]kind{"ref": text}},

	{method: "GET", path: "/projects/:id/repository/commits/:sha/statuses",
		query: with(paging, map[string]kind{"ref": text, "name": text})},
	{
		method: "POST", path: "/projects/:id/statuses/:sha", required: []string{"state"},
		body: map[string]kind{"state": "pending|running|success|failed|canceled|skipped", "ref": text, "name": text,
			"target_url": text, "description": text},
	},

	{method: "GET", path: "/projects/:id/pipelines",
		query: with(paging,
			map[string]kind{"sha": text, "ref": text, "order_by": "id|status|ref|updated_at|user_id", "sort": "asc|desc"})},
	{method: "GET", path: "/projects/:id/pipelines/:pipeline/jobs",
		query: with(paging, map[string]kind{"include_retried": boolean})},

	{method: "GET", path: "/projects/:id/merge_requests",
		query: with(paging,
			map[string]kind{"state": "opened|closed|locked|merged|all", "source_branch": text, "target_branch": text})},
	{
		method: "POST", path: "/projects/:id/merge_requests", required: []string{"title", "source_branch", "target_branch"},
		body: map[string]kind{"title": text, "description": text, "source_branch": text, "target_branch": text,
			"remove_source_branch": boolean},
	},
	{method: "PUT", path: "/projects/:id/merge_requests/:iid",
		body: map[string]kind{"title": text, "description": text, "state_event": "close|reopen"}},
	{method: "PUT", path: "/projects/:id/merge_requests/:iid/merge",
		body: map[string]kind{"auto_merge": boolean, "sha": text, "should_remove_source_branch": boolean}},
	{method: "GET", path: "/projects/:id/merge_requests/:iid/notes",
		query: with(paging, map[string]kind{"order_by": "created_at|updated_at", "sort": "asc|desc"})},
	{method: "POST", path: "/projects/:id/merge_requests/:iid/notes", body: map[string]kind{"body": text},
		required: []string{"body"}},
	{method: "PUT", path: "/projects/:id/merge_requests/:iid/notes/:note", body: map[string]kind{"body": text},
		required: []string{"body"}},

	{method: "GET", path: "/projects/:id/hooks", query: paging},
	{method: "POST", path: "/projects/:id/hooks", body: hookFields, required: []string{"url"}},
	{method: "PUT", path: "/projects/:id/hooks/:hook", body: hookFields, required: []string{"url"}},
	{method: "DELETE", path: "/projects/:id/hooks/:hook"},
}

var hookFields = map[string]kind{
	"url": text, "name": text, "description": text, "token": text, "signing_token": text,
	"enable_ssl_verification": boolean,
	"push_events":             boolean, "tag_push_events": boolean, "pipeline_events": boolean,
	"merge_requests_events":     boolean,
	"push_events_branch_filter": text, "branch_filter_strategy": "wildcard|regex|all_branches",
}

func with(a, b map[string]kind) map[string]kind {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// find returns the operation of a request and the values of its variables.
func find(method string, segments []string) (*operation, map[string]string) {
	for i := range contract {
		if o := &contract[i]; o.method == method {
			if vars := match(o.path, segments); vars != nil {
				return o, vars
			}
		}
	}
	return nil, nil
}

func match(pattern string, segments []string) map[string]string {
	parts := strings.Split(strings.TrimPrefix(pattern, "/"), "/")
	if len(parts) != len(segments) {
		return nil
	}
	vars := map[string]string{}
	for i, part := range parts {
		name, variable := strings.CutPrefix(part, ":")
		if variable {
			vars[name] = segments[i]
		} else if part != segments[i] {
			return nil
		}
	}
	return vars
}

// check says what of a request breaks the contract.
func (o *operation) check(query url.Values, body map[string]any) error {
	for name, values := range query {
		k, ok := o.query[name]
		if !ok {
			return fmt.Errorf("query parameter %q is not in the contract of %s %s", name, o.method, o.path)
		}
		for _, v := range values {
			if !k.allowsText(v) {
				return fmt.Errorf("query parameter %s=%q: want %s", name, v, k)
			}
		}
	}
	for name, v := range body {
		k, ok := o.body[name]
		if !ok {
			return fmt.Errorf("field %q is not in the contract of %s %s", name, o.method, o.path)
		}
		if !k.allows(v) {
			return fmt.Errorf("field %s is %v: want %s", name, v, k)
		}
	}
	for _, name := range o.required {
		if v, ok := body[name]; !ok || v == "" {
			return fmt.Errorf("%s is missing", name)
		}
	}
	return nil
}

func (k kind) allowsText(v string) bool {
	switch k {
	case number:
		_, err := strconv.ParseInt(v, 10, 64)
		return err == nil
	case boolean:
		return v == "true" || v == "false"
	case text, texts:
		return true
	}
	return slices.Contains(strings.Split(string(k), "|"), v)
}

func (k kind) allows(v any) bool {
	switch v := v.(type) {
	case string:
		return k != number && k != boolean && k != texts && k.allowsText(v)
	case bool:
		return k == boolean
	case json.Number:
		return k == number
	}
	return false
}
