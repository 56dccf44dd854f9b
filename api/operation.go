package api

import (
	"maps"

	"github.com/labstack/echo/v4"
)

// operation says what a route takes and answers. The OpenAPI document is made
// from it, and a request with a query parameter or a field that it does not name
// is refused, so the document cannot fall behind the handlers.
type operation struct {
	id, tag, summary string
	query            []param
	body             []param // fields of the request's JSON object
	// answer is a value of the type that a 200 answers as JSON; nil for none.
	answer any
	status int // of success, 200 when zero
	// media are other media types of the answer.
	media []string
	// refusals are the statuses that this operation may answer besides those
	// that all may.
	refusals []int
}

// param is a query parameter, or a field of a request's body.
type param struct {
	name     string
	schema   schema
	about    string
	required bool
}

// schema is a JSON Schema.
type schema map[string]any

// either is an answer of one of several types.
type either []any

const operationKey = "dagwright.operation"

// declare remembers the operation for readQuery and readBody.
func declare(c echo.Context, op operation) { c.Set(operationKey, op) }

// declared is the operation of a request; false in a test without a route.
func declared(c echo.Context) (operation, bool) {
	op, ok := c.Get(operationKey).(operation)
	return op, ok
}

// names is the set of the parameters' names; nil, which has every name, when the
// request has no operation.
func names(params []param, known bool) map[string]bool {
	if !known {
		return nil
	}
	set := make(map[string]bool, len(params))
	for _, p := range params {
		set[p.name] = true
	}
	return set
}

func text(name, about string) param { return param{name: name, schema: kind("string"), about: about} }
func integer(name, about string) param {
	return param{name: name, schema: kind("integer"), about: about}
}
func moment(name, about string) param {
	return param{name: name, schema: schema{"type": "string", "format": "date-time"}, about: about}
}

func truth(name string, whenAbsent bool, about string) param {
	return param{name: name, schema: schema{"type": "boolean", "default": whenAbsent}, about: about}
}

func object(name, about string) param { return param{name: name, schema: kind("object"), about: about} }

// many is a list: of a query parameter that may be repeated, or in a body.
func many(p param) param {
	p.schema = schema{"type": "array", "items": p.schema}
	return p
}

// choice is a text out of a fixed set.
func choice(name, about string, values ...string) param {
	return param{name: name, schema: schema{"type": "string", "enum": values}, about: about}
}

func required(p param) param {
	p.required = true
	return p
}

// nullable also takes null.
func nullable(p param) param {
	with := maps.Clone(p.schema)
	with["type"] = []any{p.schema["type"], "null"}
	if values, ok := with["enum"].([]string); ok {
		all := make([]any, 0, len(values)+1)
		for _, v := range values {
			all = append(all, v)
		}
		with["enum"] = append(all, nil)
	}
	p.schema = with
	return p
}

// nonNegative is a whole number from 0.
func nonNegative(name, about string) param {
	p := integer(name, about)
	p.schema["minimum"] = 0
	return p
}

func kind(name string) schema { return schema{"type": name} }

// pageParams are those of every list.
func pageParams(orders ...string) []param {
	limit := nonNegative("limit", "Entries of a page: 50 when absent, never more than 100.")
	limit.schema["default"] = defaultLimit
	offset := nonNegative("offset", "Entries to pass over.")
	offset.schema["default"] = 0
	params := []param{limit, offset}
	if len(orders) > 0 {
		params = append(params, orderParam(orders...))
	}
	return params
}

func orderParam(orders ...string) param {
	both := make([]string, 0, 2*len(orders))
	for _, o := range orders {
		both = append(both, o, "-"+o)
	}
	p := many(choice("order_by", "The field to order by, with a minus in front for descending.", both...))
	p.schema["maxItems"] = 1
	return p
}

// boundParams are the four bounds of a time.
func boundParams(name string, of func(name, about string) param) []param {
	return []param{
		of(name+"_gte", name+" at least this."), of(name+"_gt", name+" more than this."),
		of(name+"_lte", name+" at most this."), of(name+"_lt", name+" less than this."),
	}
}

func seconds64(name, about string) param {
	p := param{name: name, schema: schema{"type": "number", "minimum": 0}, about: about + " In seconds."}
	return p
}

// join puts groups of parameters together.
func join(groups ...[]param) []param {
	var all []param
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}
