package ui

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// promotePage offers a DAG to the next instance: what that would change, and then
// the button.
type promotePage struct {
	Page
	DAG     DAGHead
	Target  string // the DAG repository to promote to
	PostURL string
	// Compared is the newest comparison of the DAG's newest version, nil before the
	// first.
	Compared *PromotionView
	Diff     []DiffLine
	Past     []PromotionView // the newest first, without comparisons
}

// PromotionView is a promotion as pages show it.
type PromotionView struct {
	store.Promotion
	Asked TimeView
	Words string // what happened to it; to be translated
}

func (rd *reader) promotionView(p store.Promotion, zone string) PromotionView {
	words := map[store.PromotionState]string{
		store.PromotionPending: say("in progress"), store.PromotionCompared: say("compared"),
		store.PromotionProposed:  say("merge request open"),
		store.PromotionUnchanged: say("nothing to change"), store.PromotionRefused: say("not possible"),
	}[p.State]
	return PromotionView{Promotion: p, Asked: rd.time(p.At, zone), Words: words}
}

func (s *server) promoteForm(c echo.Context) error {
	if s.PromotesTo == "" {
		return notFound("This instance has nowhere to promote DAGs to.")
	}
	h, err := s.dagHead(c, "")
	if err != nil {
		return err
	}
	all, err := s.promotions(c, h.ID)
	if err != nil {
		return err
	}
	rd := s.reader(c)
	p := promotePage{Page: s.dagPage(c, h, rd.t("Promote %s", string(h.ID))), DAG: h, Target: s.PromotesTo,
		PostURL: dagURL(h.ID, "promote")}
	for _, one := range all {
		v := rd.promotionView(one, h.Timezone)
		switch {
		case !one.Dry:
			p.Past = append(p.Past, v)
		case p.Compared == nil && one.Version == h.Version:
			p.Compared = &v
		}
	}
	if p.Compared != nil && p.Compared.State == store.PromotionCompared {
		p.Diff = differenceLines(p.Compared.Reason)
	}
	return s.render(c, http.StatusOK, "promote", p)
}

// promote asks for the comparison, or for the merge request.
func (s *server) promote(c echo.Context) error {
	if s.PromotesTo == "" {
		return notFound("This instance has nowhere to promote DAGs to.")
	}
	id := dagParam(c)
	version, err := strconv.Atoi(c.FormValue("version"))
	if err != nil || version < 1 {
		return invalid("The form has no field version: send the version that was shown.")
	}
	dry := c.FormValue("step") != "propose"
	if _, err := s.Store.RequestPromotion(c.Request().Context(), s.actor(c), id, version, dry); err != nil {
		return err
	}
	if !dry {
		notice(c, s.reader(c).t("%s is being promoted. The link to its merge request appears here.", string(id)))
	}
	return done(c, dagURL(id, "promote"))
}

// promotionPart leads from a DAG's details to its promotion.
type promotionPart struct {
	PromoteURL string // "" where DAGs are promoted nowhere
	PromotesTo string
	Promotion  *PromotionView // the newest, comparisons left out
}

func (s *server) promotionPart(c echo.Context, h DAGHead) (part promotionPart, err error) {
	if s.PromotesTo == "" || h.Archived {
		return part, nil
	}
	part.PromoteURL, part.PromotesTo = dagURL(h.ID, "promote"), s.PromotesTo
	all, err := s.promotions(c, h.ID)
	for _, one := range all {
		if !one.Dry {
			v := s.reader(c).promotionView(one, h.Timezone)
			part.Promotion = &v
			break
		}
	}
	return part, err
}

// promotions are the newest promotions of a DAG.
func (s *server) promotions(c echo.Context, id dag.ID) ([]store.Promotion, error) {
	const shown = 50
	all, err := s.Store.Promotions(c.Request().Context(), id, shown)
	if err != nil {
		return nil, fmt.Errorf("list promotions: %w", err)
	}
	return all, nil
}

// differenceLines are the lines of a difference that is a text already.
func differenceLines(text string) []DiffLine {
	var out []DiffLine
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		out = append(out, DiffLine{diffClass(line), line})
	}
	return out
}
