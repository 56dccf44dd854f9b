package api

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"dagwright/dag"
	"dagwright/store"
	"dagwright/timetable"
)

// bundle is the name that the DAG repository has where Airflow names a DAG
// bundle; a bundle's version is a commit there.
const bundle = "airflow-dev"

// dagAnswer is Airflow's DAGResponse.
type dagAnswer struct {
	DAG                  dag.ID      `json:"dag_id"`
	DisplayName          string      `json:"dag_display_name"`
	Paused               bool        `json:"is_paused"`
	Stale                bool        `json:"is_stale"`
	ParsedAt             timestamp   `json:"last_parsed_time"`
	ParseDuration        *float64    `json:"last_parse_duration"`
	Expired              timestamp   `json:"last_expired"`
	Bundle               string      `json:"bundle_name"`
	BundleVersion        *string     `json:"bundle_version"`
	RelativeFile         string      `json:"relative_fileloc"`
	File                 string      `json:"fileloc"`
	Description          *string     `json:"description"`
	Timetable            *string     `json:"timetable_summary"`
	TimetableWords       *string     `json:"timetable_description"`
	Partitioned          bool        `json:"timetable_partitioned"`
	Periodic             bool        `json:"timetable_periodic"`
	Tags                 []tagAnswer `json:"tags"`
	MaxActiveTasks       int         `json:"max_active_tasks"`
	MaxActiveRuns        int         `json:"max_active_runs"`
	MaxConsecutiveFailed int         `json:"max_consecutive_failed_dag_runs"`
	TaskLimits           bool        `json:"has_task_concurrency_limits"`
	ImportErrors         bool        `json:"has_import_errors"`
	NextLogicalDate      timestamp   `json:"next_dagrun_logical_date"`
	NextIntervalStart    timestamp   `json:"next_dagrun_data_interval_start"`
	NextIntervalEnd      timestamp   `json:"next_dagrun_data_interval_end"`
	NextRunAfter         timestamp   `json:"next_dagrun_run_after"`
	AllowedRunTypes      []string    `json:"allowed_run_types"`
	Owners               []string    `json:"owners"`
	Backfillable         bool        `json:"is_backfillable"`
	FileToken            string      `json:"file_token"`
}

type tagAnswer struct {
	Name        string `json:"name"`
	DAG         dag.ID `json:"dag_id"`
	DisplayName string `json:"dag_display_name"`
}

func newDAGAnswer(r store.DAGRow) dagAnswer {
	periodic := r.Schedule.Periodic()
	words := scheduleWords(r.Schedule)
	return dagAnswer{
		DAG: r.ID, DisplayName: displayName(r.DAG), Paused: r.Paused, Stale: r.Archived,
		ParsedAt: timestamp(r.ParsedAt), Bundle: bundle, BundleVersion: orNull(r.DAGCommit),
		RelativeFile: r.File, File: r.File, Description: orNull(r.Description),
		Timetable: scheduleSummary(r.Schedule), TimetableWords: &words, Periodic: periodic, Backfillable: periodic,
		Tags: tagAnswers(r.DAG), MaxActiveTasks: r.MaxActiveTasks, MaxActiveRuns: r.MaxActiveRuns,
		ImportErrors:    r.ImportError || r.Unplanned,
		NextLogicalDate: timestamp(r.Next.LogicalDate), NextRunAfter: timestamp(r.Next.RunAfter),
		NextIntervalStart: timestamp(r.Next.Interval.Start), NextIntervalEnd: timestamp(r.Next.Interval.End),
		Owners: owners(r.DAG), FileToken: fileToken(r.File),
	}
}

func displayName(d *dag.DAG) string {
	if d.DisplayName != "" {
		return d.DisplayName
	}
	return string(d.ID)
}

// scheduleSummary is the schedule as it was written; null when there is none.
func scheduleSummary(s dag.Schedule) *string {
	if s.Kind == dag.ScheduleNone {
		return nil
	}
	summary := s.Summary()
	return &summary
}

// scheduleWords says the schedule in words, as Airflow does.
func scheduleWords(s dag.Schedule) string {
	t, err := timetable.Parse(s)
	if err != nil {
		return s.Summary()
	}
	return t.Description()
}

func tagAnswers(d *dag.DAG) []tagAnswer {
	answers := make([]tagAnswer, len(d.Tags))
	for i, name := range slices.Sorted(slices.Values(d.Tags)) {
		answers[i] = tagAnswer{name, d.ID, displayName(d)}
	}
	return answers
}

// owners splits the owner at commas, as Airflow does.
func owners(d *dag.DAG) []string {
	all := []string{}
	for name := range strings.SplitSeq(d.Owner, ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		return []string{"airflow"}
	}
	return all
}

// fileToken names a file as Airflow's tokens do. It is not signed: nothing here
// takes it as a proof.
func fileToken(file string) string {
	text, err := json.Marshal(map[string]string{"bundle_name": bundle, "relative_fileloc": file})
	if err != nil {
		return "" // a map of texts always marshals
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// detailsAnswer is Airflow's DAGDetailsResponse.
type detailsAnswer struct {
	dagAnswer
	Catchup            bool              `json:"catchup"`
	RunTimeout         *string           `json:"dag_run_timeout"`
	AssetExpression    map[string]any    `json:"asset_expression"`
	DocMD              *string           `json:"doc_md"`
	StartDate          timestamp         `json:"start_date"`
	EndDate            timestamp         `json:"end_date"`
	PausedUponCreation bool              `json:"is_paused_upon_creation"`
	Params             map[string]any    `json:"params"`
	RenderNative       bool              `json:"render_template_as_native_obj"`
	TemplateSearchPath []string          `json:"template_search_path"`
	Timezone           string            `json:"timezone"`
	LastParsed         timestamp         `json:"last_parsed"`
	DefaultArgs        map[string]any    `json:"default_args"`
	RerunLatest        *bool             `json:"rerun_with_latest_version"`
	OwnerLinks         map[string]string `json:"owner_links"`
	Favorite           bool              `json:"is_favorite"`
	ActiveRuns         int               `json:"active_runs_count"`
	Concurrency        int               `json:"concurrency"`
	LatestVersion      versionAnswer     `json:"latest_dag_version"`
}

func newDetailsAnswer(r store.DAGRow, latest store.Version) detailsAnswer {
	return detailsAnswer{
		dagAnswer: newDAGAnswer(r), Catchup: r.Catchup, RunTimeout: isoDuration(r.RunTimeout),
		DocMD: orNull(r.DocMD), StartDate: timestamp(r.StartDate), EndDate: timestamp(r.EndDate),
		PausedUponCreation: r.PausedUponCreation, Params: paramAnswers(r.DAG), Timezone: r.Timezone,
		LastParsed: timestamp(r.ParsedAt), DefaultArgs: map[string]any{}, OwnerLinks: map[string]string{},
		ActiveRuns:  r.RunCounts[dag.RunQueued] + r.RunCounts[dag.RunRunning],
		Concurrency: r.MaxActiveTasks, LatestVersion: newVersionAnswer(latest, displayName(r.DAG)),
	}
}

// paramAnswers shows the params as Airflow dumps them.
func paramAnswers(d *dag.DAG) map[string]any {
	all := map[string]any{}
	for _, p := range d.Params {
		schema := p.Schema
		if schema == nil {
			schema = map[string]any{}
		}
		all[p.Name] = map[string]any{
			"value": p.Default, "schema": schema, "description": orNull(p.Description), "source": nil,
		}
	}
	return all
}
