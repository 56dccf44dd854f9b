package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"dagwright/dag"
	"dagwright/store"
)

// gridSizes are how many runs the grid can show.
var gridSizes = []int{25, 50, 100}

// gridPage shows tasks by runs, the newest run on the right as in Airflow.
type gridPage struct {
	Page
	DAG   DAGHead
	Runs  []GridRun
	Rows  []GridRow
	Sizes []FilterView
}

// GridRun is a column.
type GridRun struct {
	RunView
	Label string // short
	Tall  int    // 1 to 5: how long it took, beside the others
}

// GridRow is a task with its state in each run.
type GridRow struct {
	Task  dag.TaskID
	Gone  bool // the newest version has no such task
	Cells []GridCell
}

// GridCell is one task instance; without Href there is none.
type GridCell struct {
	StateView
	Href  string
	Title string
}

func (s *server) dagGrid(c echo.Context) error {
	h, err := s.dagHead(c, "Grid")
	if err != nil {
		return err
	}
	p := gridPage{Page: s.dagPage(c, h, string(h.ID)+" · "+s.reader(c).t("Grid")), DAG: h}
	n := gridSizes[0]
	if asked, err := strconv.Atoi(c.QueryParam("runs")); err == nil && slices.Contains(gridSizes, asked) {
		n = asked
	}
	for _, size := range gridSizes {
		p.Sizes = append(p.Sizes, FilterView{Name: strconv.Itoa(size), Count: size, Current: size == n,
			Href: withQuery(dagURL(h.ID, "grid"), url.Values{"runs": {strconv.Itoa(size)}})})
	}
	runs, _, err := s.Store.Runs(c.Request().Context(), store.RunFilter{DAG: h.ID, Limit: n})
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	slices.Reverse(runs)
	if err := s.fillGrid(c, &p, runs); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, "grid", p)
}

func (s *server) fillGrid(c echo.Context, p *gridPage, runs []dag.Run) error {
	ids := make([]dag.RunID, len(runs))
	for i, r := range runs {
		ids[i] = r.ID
	}
	tasks, err := s.Store.RunTasks(c.Request().Context(), p.DAG.ID, ids)
	if err != nil {
		return fmt.Errorf("read task instances: %w", err)
	}
	rd := s.reader(c)
	p.Runs = gridRuns(rd, runs, p.DAG.Timezone)
	for _, id := range gridTasks(p.DAG.DAGRow.DAG, tasks) {
		row := GridRow{Task: id}
		_, known := p.DAG.Task(id)
		row.Gone = !known
		for _, r := range runs {
			row.Cells = append(row.Cells, gridCell(rd, tasks[r.ID], id, p.Here))
		}
		p.Rows = append(p.Rows, row)
	}
	return nil
}

// gridRuns are the columns, with a bar as tall as the run was long.
func gridRuns(rd *reader, runs []dag.Run, zone string) []GridRun {
	var longest int64 = 1
	took := make([]int64, len(runs))
	for i, r := range runs {
		if !r.StartedAt.IsZero() && !r.EndedAt.IsZero() {
			took[i] = int64(r.EndedAt.Sub(r.StartedAt))
		}
		longest = max(longest, took[i])
	}
	labels := gridLabels(rd, runs, zone)
	var views []GridRun
	for i, r := range runs {
		views = append(views, GridRun{RunView: rd.runView(r, zone), Label: labels[i], Tall: 1 + int(4*took[i]/longest)})
	}
	return views
}

// gridLabels name the columns by day, those of one day by the time too, down to what
// tells them apart.
func gridLabels(rd *reader, runs []dag.Run, zone string) []string {
	labels := make([]string, len(runs))
	for _, layout := range []string{"01-02", "01-02 15:04", "01-02 15:04:05"} {
		same := map[string]int{}
		for _, label := range labels {
			same[label]++
		}
		for i, r := range runs {
			if same[labels[i]] > 1 || labels[i] == "" {
				local, _ := rd.in(r.LogicalDate, zone)
				labels[i] = local.Format(layout)
			}
		}
	}
	return labels
}

// gridTasks are the tasks of the newest version, in order, and after them those
// that only earlier versions had.
func gridTasks(d *dag.DAG, tasks map[dag.RunID][]dag.TaskInstance) []dag.TaskID {
	ids := dag.Order(d)
	var gone []dag.TaskID
	for _, list := range tasks {
		for _, ti := range list {
			if !slices.Contains(ids, ti.Task) && !slices.Contains(gone, ti.Task) {
				gone = append(gone, ti.Task)
			}
		}
	}
	slices.Sort(gone)
	return append(ids, gone...)
}

// gridCell is a task of a run, which leads back to a page.
func gridCell(rd *reader, tasks []dag.TaskInstance, id dag.TaskID, back string) GridCell {
	i := slices.IndexFunc(tasks, func(ti dag.TaskInstance) bool { return ti.Task == id })
	if i < 0 {
		return GridCell{}
	}
	ti := tasks[i]
	cell := GridCell{StateView: taskStateView(ti.State), Href: withBack(taskURL(ti.DAG, ti.Run, ti.Task), back)}
	cell.Title = fmt.Sprintf("%s · %s: %s", ti.Run, ti.Task, rd.t(cell.Words))
	if ti.Try > 1 {
		cell.Title += " · " + rd.t("%d tries", ti.Try)
	}
	return cell
}
