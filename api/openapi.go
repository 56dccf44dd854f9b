package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// openAPI is the OpenAPI 3.1 document of the routes
// (https://spec.openapis.org/oas/v3.1.0).
func (s *server) openAPI() schema {
	types := newTypes()
	paths := schema{}
	for _, r := range s.routes {
		path := prefix + braces(r.path)
		item, ok := paths[path].(schema)
		if !ok {
			item = schema{}
			paths[path] = item
		}
		item[strings.ToLower(r.method)] = describe(r, types)
	}
	return schema{
		"openapi": "3.1.0",
		"info": schema{
			"title": "dagwright", "version": s.Version,
			"description": "Airflow's API v2, as far as dagwright has it, and what dagwright adds.",
			"license":     schema{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"paths": paths,
		"components": schema{
			"schemas": types.named, "responses": types.refusals,
			"securitySchemes": schema{
				"bearer": schema{"type": "http", "scheme": "bearer",
					"description": "An API token, or the answer of POST /auth/token."},
			},
		},
		// An instance without sign-in asks for no token.
		"security": []any{schema{"bearer": []any{}}, schema{}},
	}
}

// problemBody is the body of every answer that is an error.
type problemBody struct {
	Detail any `json:"detail"`
}

// braces turns ":name" of a route into OpenAPI's "{name}".
func braces(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

func describe(r route, types *types) schema {
	op := r.operation
	out := schema{
		"operationId": op.id, "tags": []string{op.tag}, "summary": op.summary, "responses": responses(r, types),
		"x-dagwright-role": r.right.Needs().String(),
	}
	params := pathParams(r.path)
	for _, p := range op.query {
		params = append(params,
			schema{"name": p.name, "in": "query", "description": p.about, "required": p.required, "schema": p.schema})
	}
	if r.method != http.MethodGet {
		params = append(params, schema{
			"name": idempotencyKey, "in": "header", "required": false,
			"description": "A key of the client's own. The same request under it within a day is done once, and answered alike.",
			"schema":      schema{"type": "string", "maxLength": store.MaxKey},
		})
	}
	if len(params) > 0 {
		out["parameters"] = params
	}
	if len(op.body) > 0 {
		out["requestBody"] = schema{"required": true,
			"content": schema{echo.MIMEApplicationJSON: schema{"schema": bodySchema(op.body)}}}
	}
	return out
}

// numbers are the path parameters that are whole numbers.
var numbers = []string{"try_number", "version_number", "import_error_id", "event_log_id", "push_id", "backfill_id"}

func pathParams(path string) []any {
	var params []any
	for p := range strings.SplitSeq(path, "/") {
		name, ok := strings.CutPrefix(p, ":")
		if !ok {
			continue
		}
		s := schema{"type": "string", "minLength": 1}
		if slices.Contains(numbers, name) {
			s = kind("integer")
		}
		params = append(params, schema{"name": name, "in": "path", "required": true, "schema": s})
	}
	return params
}

func bodySchema(fields []param) schema {
	properties, needed := schema{}, []string{}
	for _, f := range fields {
		s := schema{"description": f.about}
		for k, v := range f.schema {
			s[k] = v
		}
		properties[f.name] = s
		if f.required {
			needed = append(needed, f.name)
		}
	}
	return schema{"type": "object", "properties": properties, "required": needed, "additionalProperties": false}
}

// responses are the answers: success, what every operation may refuse, and what
// this one may.
func responses(r route, types *types) schema {
	op := r.operation
	success := schema{"description": "Done."}
	content := schema{}
	if op.answer != nil {
		content[echo.MIMEApplicationJSON] = schema{"schema": types.of(op.answer)}
	}
	for _, media := range op.media {
		content[media] = schema{"schema": kind("string")}
		if media == eventStream {
			content[media] = schema{} // its events are described in words
		}
	}
	if len(content) > 0 {
		success["content"] = content
	}
	all := schema{strconv.Itoa(max(op.status, http.StatusOK)): success}
	refusals := append([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden,
		http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, op.refusals...)
	if strings.Contains(r.path, ":") {
		refusals = append(refusals, http.StatusNotFound)
	}
	if len(op.body) > 0 {
		refusals = append(refusals, http.StatusRequestEntityTooLarge)
	}
	if r.right != dag.RightRead {
		refusals = append(refusals, http.StatusConflict)
	}
	for _, status := range refusals {
		all[strconv.Itoa(status)] = types.refusal(status)
	}
	return all
}

// refusal is a reference to an answer that is an error.
func (t *types) refusal(status int) schema {
	name := strings.ReplaceAll(http.StatusText(status), " ", "")
	t.refusals[name] = schema{
		"description": http.StatusText(status) + ".",
		"content":     schema{echo.MIMEApplicationJSON: schema{"schema": t.of(problemBody{})}},
	}
	return schema{"$ref": "#/components/responses/" + name}
}

// serveOpenAPI answers with the document, which is made once, when it is first asked
// for.
func (s *server) serveOpenAPI() echo.HandlerFunc {
	document := sync.OnceValues(func() ([]byte, error) { return json.MarshalIndent(s.openAPI(), "", "  ") })
	return func(c echo.Context) error {
		text, err := document()
		if err != nil {
			return err
		}
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, text)
	}
}
