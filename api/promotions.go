package api

import (
	"math"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// promotionAnswer is a promotion of a DAG to the next instance and what happened to
// it. Airflow has nothing like it, so the names are dagwright's.
type promotionAnswer struct {
	ID        int64     `json:"promotion_id"`
	DAG       dag.ID    `json:"dag_id"`
	Version   int       `json:"version_number"`
	Path      string    `json:"path"`
	DAGCommit string    `json:"dag_commit"`
	DryRun    bool      `json:"dry_run"`
	User      string    `json:"user"`
	AskedAt   time.Time `json:"asked_at"`
	State     string    `json:"state"`
	// Reason is the difference of a dry run, or why there is no merge request.
	Reason       string     `json:"reason"`
	MergeRequest string     `json:"merge_request"`
	FinishedAt   *time.Time `json:"finished_at"`
}

type promotionList struct {
	Promotions []promotionAnswer `json:"promotions"`
	Total      int               `json:"total_entries"`
}

func newPromotionAnswer(p store.Promotion) promotionAnswer {
	return promotionAnswer{
		ID: p.ID, DAG: p.DAG, Version: p.Version, Path: p.Path, DAGCommit: p.DAGCommit, DryRun: p.Dry, User: p.By.User,
		AskedAt: p.At,
		State:   string(p.State), Reason: p.Reason, MergeRequest: p.MergeRequest, FinishedAt: timeOrNil(p.FinishedAt),
	}
}

// maxPromotions bounds the promotions of a DAG that are listed.
const maxPromotions = 100

// promote asks for a DAG to be offered to the next instance; with "dry_run" only
// the difference is made, and with "version_number" only that version will do. The
// answer is the promotion, which GET /dags/{dag_id}/promotions follows.
func (s *server) promote(c echo.Context) error {
	if s.PromotesTo == "" {
		return refuse(http.StatusConflict,
			"This instance has nowhere to promote Dags to: its configuration has no `promotion`")
	}
	b, err := readBody(c)
	if err != nil {
		return err
	}
	dry, version := b.boolean("dry_run"), b.version()
	if err := b.err(); err != nil {
		return err
	}
	ctx, id := c.Request().Context(), dagID(c)
	asked, err := s.Store.RequestPromotion(ctx, s.actor(c), id, version, dry)
	if err != nil {
		return missingDAG(err, id)
	}
	found, err := s.Store.Promotions(ctx, id, maxPromotions)
	if err != nil {
		return err
	}
	for _, p := range found {
		if p.ID == asked {
			return c.JSON(http.StatusAccepted, newPromotionAnswer(p))
		}
	}
	return refuse(http.StatusNotFound, "The promotion with ID: `%d` was not found", asked)
}

// version takes the number of a version, 0 when none is named.
func (b *body) version() int {
	v, ok := b.take("version_number")
	if !ok {
		return 0
	}
	n, ok := v.(int)
	if !ok || n < 1 || n > math.MaxInt32 {
		b.fault("int_type", "Input should be a valid version number, 1 or more", v, "version_number")
	}
	return n
}

// listPromotions lists a DAG's promotions, the newest first.
func (s *server) listPromotions(c echo.Context) error {
	found, err := s.Store.Promotions(c.Request().Context(), dagID(c), maxPromotions)
	if err != nil {
		return missingDAG(err, dagID(c))
	}
	answer := promotionList{Promotions: []promotionAnswer{}, Total: len(found)}
	for _, p := range found {
		answer.Promotions = append(answer.Promotions, newPromotionAnswer(p))
	}
	return c.JSON(http.StatusOK, answer)
}
