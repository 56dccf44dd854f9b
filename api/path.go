package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
)

// decodeParams undoes the percent-encoding of the path's parameters, once: the
// router hands them out encoded exactly when the URL has a RawPath. A plus in a
// path is a plus.
func decodeParams(c echo.Context) error {
	values := c.ParamValues()
	for i, v := range values {
		if c.Request().URL.RawPath != "" {
			decoded, err := url.PathUnescape(v)
			if err != nil {
				return refuse(http.StatusBadRequest, "The path is not percent-encoded properly")
			}
			values[i] = decoded
		}
		if !storable(values[i]) {
			return refuse(http.StatusNotFound, "Not Found")
		}
	}
	c.SetParamValues(values...)
	return nil
}

// storable reports whether a text can be kept in, and so be looked up in, a
// database: PostgreSQL knows neither NUL nor broken UTF-8.
func storable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsRune(text, 0)
}

func dagID(c echo.Context) dag.ID      { return dag.ID(c.Param("dag_id")) }
func runID(c echo.Context) dag.RunID   { return dag.RunID(c.Param("dag_run_id")) }
func taskID(c echo.Context) dag.TaskID { return dag.TaskID(c.Param("task_id")) }

// number reads a whole number of the path.
func number(c echo.Context, name string) (int, error) {
	n, err := strconv.Atoi(c.Param(name))
	if err != nil {
		return 0, invalid(intParsing("path", name, c.Param(name)))
	}
	return n, nil
}
