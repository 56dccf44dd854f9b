package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dagwright/client"
	"dagwright/store"
	"dagwright/usage"

	"github.com/spf13/cobra"
)

// importErrorFields is what the commands use of an import error.
type importErrorFields struct {
	ID   int64      `json:"import_error_id"`
	At   *time.Time `json:"timestamp"`
	File string     `json:"filename"`
	Text string     `json:"stack_trace"`
}

func newImportErrorsCommand() *cobra.Command {
	var f clientFlags
	var limit int
	cmd := &cobra.Command{
		Use:   "import-errors [ID]",
		Short: "List the files of the DAG repository that cannot be read, or show one",
		Long: `List the files of the DAG repository that cannot be read, and why; with ID the whole
message of one. The last version of a DAG that could be read stays in use.`,
		Example: `  dagwright import-errors
  dagwright import-errors 3`,
		Args: argumentsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return showImportError(cmd, &f, c, args[0])
			}
			return listImportErrors(cmd, &f, c, limit)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f.addTo(cmd)
	addLimitFlag(cmd, &limit)
	return cmd
}

func listImportErrors(cmd *cobra.Command, f *clientFlags, c *client.Client, limit int) error {
	found, total, err := pages(url.Values{}, limit, func(query url.Values) ([]client.Item[importErrorFields], int, error) {
		var answer struct {
			Errors []client.Item[importErrorFields] `json:"import_errors"`
			Total  int                              `json:"total_entries"`
		}
		err := c.Call(cmd.Context(), client.Request{Path: []string{"importErrors"}, Query: query}, &answer)
		return answer.Errors, answer.Total, err
	})
	if err != nil {
		return err
	}
	err = f.show(cmd.OutOrStdout(), found, func(t *table) {
		t.header("ID", "FILE", "SINCE", "ERROR")
		for _, e := range found {
			first, _, _ := strings.Cut(strings.TrimSpace(e.Fields.Text), "\n")
			t.row(e.Fields.ID, e.Fields.File, e.Fields.At, orDash(first))
		}
	})
	noteMore(cmd, len(found), total)
	return err
}

func showImportError(cmd *cobra.Command, f *clientFlags, c *client.Client, id string) error {
	if n, err := strconv.Atoi(id); err != nil || n < 1 {
		return usage.New(fmt.Errorf("import error %q: want its number, as \"dagwright import-errors\" shows it", id))
	}
	var e client.Item[importErrorFields]
	if err := c.Call(cmd.Context(), client.Request{Path: []string{"importErrors", id}}, &e); err != nil {
		return err
	}
	return f.show(cmd.OutOrStdout(), e, func(t *table) {
		t.field("File", e.Fields.File)
		t.field("Since", e.Fields.At)
		t.text(e.Fields.Text)
	})
}

// eventFields is what the commands use of an entry of the audit log.
type eventFields struct {
	ID    int64      `json:"event_log_id"`
	At    *time.Time `json:"when"`
	Event string     `json:"event"`
	DAG   *string    `json:"dag_id"`
	Run   *string    `json:"run_id"`
	Task  *string    `json:"task_id"`
	Owner *string    `json:"owner"`
	Extra *string    `json:"extra"`
}

func newAuditCommand() *cobra.Command {
	var f clientFlags
	var id, run, event string
	var limit int
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List who did what, newest first",
		Example: `  dagwright audit --dag churn-model --limit 20
  dagwright audit --event trigger --output json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if event != "" {
				if err := wantWords("--event", []string{event}, store.AuditEvents); err != nil {
					return usage.New(err)
				}
			}
			query := url.Values{"order_by": {"-event_log_id"}}
			for name, value := range map[string]string{"dag_id": id, "run_id": run, "event": event} {
				if value != "" {
					query.Set(name, value)
				}
			}
			return listAudit(cmd, &f, query, limit)
		},
	}
	f.addTo(cmd)
	cmd.Flags().StringVar(&id, "dag", "", "only what was done to this DAG")
	cmd.Flags().StringVar(&run, "run", "", "only what was done to this run")
	cmd.Flags().StringVar(&event, "event", "", "only this event, such as trigger or pause")
	addLimitFlag(cmd, &limit)
	mustComplete(cmd, "dag", completeFlag(completeDAGs))
	mustComplete(cmd, "event", completeFlag(oneOf(store.AuditEvents...)))
	return cmd
}

func listAudit(cmd *cobra.Command, f *clientFlags, query url.Values, limit int) error {
	c, err := f.dial()
	if err != nil {
		return err
	}
	events, total, err := pages(query, limit, func(query url.Values) ([]client.Item[eventFields], int, error) {
		var answer struct {
			Events []client.Item[eventFields] `json:"event_logs"`
			Total  int                        `json:"total_entries"`
		}
		err := c.Call(cmd.Context(), client.Request{Path: []string{"eventLogs"}, Query: query}, &answer)
		return answer.Events, answer.Total, err
	})
	if err != nil {
		return err
	}
	err = f.show(cmd.OutOrStdout(), events, func(t *table) {
		t.header("WHEN", "WHO", "EVENT", "DAG", "RUN", "TASK", "MORE")
		for _, e := range events {
			e := e.Fields
			t.row(e.At, dash(e.Owner), e.Event, dash(e.DAG), dash(e.Run), dash(e.Task), dash(e.Extra))
		}
	})
	noteMore(cmd, len(events), total)
	return err
}

// versionFields is what the commands use of a version of a DAG.
type versionFields struct {
	Number int        `json:"version_number"`
	Commit *string    `json:"bundle_version"`
	At     *time.Time `json:"created_at"`
}

func newVersionsCommand(f *clientFlags) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "versions DAG",
		Short:   "List the versions of a DAG, newest first",
		Example: `  dagwright dags versions churn-model`,
		Args:    exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			query := url.Values{"order_by": {"-version_number"}}
			found, total, err := pages(query, limit, func(query url.Values) ([]client.Item[versionFields], int, error) {
				var answer struct {
					Versions []client.Item[versionFields] `json:"dag_versions"`
					Total    int                          `json:"total_entries"`
				}
				err := c.Call(cmd.Context(), client.Request{Path: []string{"dags", args[0], "dagVersions"}, Query: query}, &answer)
				return answer.Versions, answer.Total, err
			})
			if err != nil {
				return err
			}
			err = f.show(cmd.OutOrStdout(), found, func(t *table) {
				t.header("VERSION", "SINCE", "COMMIT OF THE DAG REPOSITORY")
				for _, v := range found {
					t.row(v.Fields.Number, v.Fields.At, dash(v.Fields.Commit))
				}
			})
			noteMore(cmd, len(found), total)
			return err
		},
		ValidArgsFunction: completeArguments(completeDAGs),
	}
	addLimitFlag(cmd, &limit)
	return cmd
}

func newSourceCommand(f *clientFlags) *cobra.Command {
	var number int
	cmd := &cobra.Command{
		Use:   "source DAG",
		Short: "Print a DAG's spec file, the newest or that of a version",
		Example: `  dagwright dags source churn-model
  diff <(dagwright dags source churn-model --version 1) <(dagwright dags source churn-model)`,
		Args: exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if number < 0 {
				return usage.New(fmt.Errorf("--version %d: versions count from 1", number))
			}
			c, err := f.dial()
			if err != nil {
				return err
			}
			r := client.Request{Path: []string{"dagSources", args[0]}, Query: url.Values{},
				Header: http.Header{"Accept": {"application/json"}}}
			if number > 0 {
				r.Query.Set("version_number", strconv.Itoa(number))
			}
			var source client.Item[struct {
				Content string `json:"content"`
			}]
			if err := c.Call(cmd.Context(), r, &source); err != nil {
				return err
			}
			if f.output == "table" {
				_, err := io.WriteString(cmd.OutOrStdout(), source.Fields.Content)
				return err
			}
			return f.show(cmd.OutOrStdout(), source, nil)
		},
		ValidArgsFunction: completeArguments(completeDAGs),
	}
	cmd.Flags().IntVar(&number, "version", 0, "number of the version (default the newest)")
	return cmd
}
