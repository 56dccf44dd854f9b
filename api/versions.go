package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// versionAnswer is Airflow's DagVersionResponse.
type versionAnswer struct {
	ID            string    `json:"id"`
	Number        int       `json:"version_number"`
	DAG           dag.ID    `json:"dag_id"`
	Bundle        string    `json:"bundle_name"`
	BundleVersion *string   `json:"bundle_version"`
	CreatedAt     timestamp `json:"created_at"`
	DisplayName   string    `json:"dag_display_name"`
	BundleURL     *string   `json:"bundle_url"`
}

func newVersionAnswer(v store.Version, displayName string) versionAnswer {
	return versionAnswer{
		ID: uuid("dag_version", string(v.DAG), fmt.Sprint(v.Number)), Number: v.Number, DAG: v.DAG,
		Bundle: bundle, BundleVersion: orNull(v.DAGCommit), CreatedAt: timestamp(v.CreatedAt), DisplayName: displayName,
	}
}

// versions remembers the DAG versions that one answer needs.
type versions struct {
	store *store.Store
	seen  map[versionKey]store.Version
}

type versionKey struct {
	dag    dag.ID
	number int
}

func (s *server) newVersions() *versions {
	return &versions{s.Store, map[versionKey]store.Version{}}
}

// of returns a run's version.
func (v *versions) of(ctx context.Context, run dag.Run) (store.Version, error) {
	key := versionKey{run.DAG, run.Version}
	if known, ok := v.seen[key]; ok {
		return known, nil
	}
	found, err := v.store.Version(ctx, run.DAG, run.Version)
	if err != nil {
		return store.Version{}, fmt.Errorf("read version %d of DAG %q: %w", run.Version, run.DAG, err)
	}
	v.seen[key] = found
	return found, nil
}

type versionList struct {
	Versions []versionAnswer `json:"dag_versions"`
	Total    int             `json:"total_entries"`
}

type sourceAnswer struct {
	Content     string `json:"content"`
	DAG         dag.ID `json:"dag_id"`
	Number      int    `json:"version_number"`
	DisplayName string `json:"dag_display_name"`
}

func (s *server) versionRoutes() []route {
	return []route{
		{http.MethodGet, "/dags/:dag_id/dagVersions", dag.RightRead, s.listVersions, operation{
			id: "get_dag_versions", tag: "DagVersion", summary: "List the versions of a DAG.", answer: versionList{},
			query: join(pageParams(orderNames(versionOrders)...), []param{nonNegative("version_number", "Only this version.")}),
		}},
		{http.MethodGet, "/dags/:dag_id/dagVersions/:version_number", dag.RightRead, s.getVersion, operation{
			id: "get_dag_version", tag: "DagVersion", summary: "Read a version of a DAG.", answer: versionAnswer{},
		}},
		{http.MethodGet, "/dagSources/:dag_id", dag.RightRead, s.getSource, operation{
			id: "get_dag_source", tag: "DagSource", summary: "Read the file of a DAG, as JSON or as text.",
			answer: sourceAnswer{},
			media:  []string{echo.MIMETextPlain}, refusals: []int{http.StatusNotAcceptable},
			query: []param{nonNegative("version_number", "The version; the newest when absent.")},
		}},
	}
}

var versionOrders = map[string]func(a, b versionAnswer) int{
	"id":             func(a, b versionAnswer) int { return cmp.Compare(a.Number, b.Number) },
	"version_number": func(a, b versionAnswer) int { return cmp.Compare(a.Number, b.Number) },
}

func (s *server) listVersions(c echo.Context) error {
	ctx, q := c.Request().Context(), readQuery(c)
	limit, offset := q.page()
	wanted := q.number("version_number", 0)
	compare := readSort(q, "id", versionOrders)
	if err := q.err(); err != nil {
		return err
	}
	row, err := s.findDAG(ctx, dagID(c))
	if err != nil {
		return err
	}
	found, err := s.Store.Versions(ctx, row.ID)
	if err != nil {
		return err
	}
	answers := []versionAnswer{}
	for _, v := range found {
		if wanted == 0 || v.Number == wanted {
			answers = append(answers, newVersionAnswer(v, displayName(row.DAG)))
		}
	}
	slices.SortFunc(answers, compare)
	return c.JSON(http.StatusOK, versionList{page(answers, limit, offset), len(answers)})
}

func (s *server) getVersion(c echo.Context) error {
	n, err := number(c, "version_number")
	if err != nil {
		return err
	}
	row, err := s.loadDAG(c)
	if err != nil {
		return err
	}
	absent := refuse(http.StatusNotFound, "The DagVersion with dag_id: `%s` and version_number: `%d` was not found",
		row.ID, n)
	if n < 1 {
		return absent
	}
	v, err := s.Store.Version(c.Request().Context(), row.ID, n)
	if err != nil {
		return orMissing(err, "%s", absent)
	}
	return c.JSON(http.StatusOK, newVersionAnswer(v, displayName(row.DAG)))
}

// getSource shows the spec file as JSON or, when asked for, as plain text.
func (s *server) getSource(c echo.Context) error {
	q := readQuery(c)
	n := q.number("version_number", 0)
	if err := q.err(); err != nil {
		return err
	}
	accept := c.Request().Header.Get(echo.HeaderAccept)
	plain := strings.HasPrefix(accept, echo.MIMETextPlain)
	if !plain && !acceptsJSON(accept) {
		return refuse(http.StatusNotAcceptable, "Only application/json or text/plain is supported")
	}
	v, err := s.Store.Version(c.Request().Context(), dagID(c), n)
	if err != nil {
		wanted := "None"
		if n > 0 {
			wanted = fmt.Sprint(n)
		}
		return orMissing(err, "The source code of the Dag %s, version_number %s was not found", short(dagID(c)), wanted)
	}
	if plain {
		return c.String(http.StatusOK, v.Source)
	}
	return c.JSON(http.StatusOK, sourceAnswer{v.Source, v.DAG, v.Number, displayName(v.Spec)})
}

// acceptsJSON reads an Accept header as Airflow does: only how it begins.
func acceptsJSON(accept string) bool {
	return accept == "" || strings.HasPrefix(accept, "*/*") || strings.HasPrefix(accept, echo.MIMEApplicationJSON)
}
