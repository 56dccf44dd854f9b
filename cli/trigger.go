package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"dagwright/client"
	"dagwright/usage"

	"github.com/spf13/cobra"
)

// triggerFlags are the flags of "dagwright dags trigger".
type triggerFlags struct {
	conf, logicalDate, runID, note string
	unpause, wait                  bool
	timeout                        time.Duration
}

func newTriggerCommand(f *clientFlags) *cobra.Command {
	var t triggerFlags
	cmd := &cobra.Command{
		Use:   "trigger DAG",
		Short: "Start a run now",
		Long: `Start a run now, even while the DAG is paused. The keys of --conf become environment
variables in every container of the run.

With --wait the exit codes are those of "dagwright runs wait".`,
		Example: `  dagwright dags trigger churn-model
  dagwright dags trigger churn-model --conf '{"SCORING_DATE": "2026-01-31"}' --wait
  dagwright dags trigger churn-model --conf @conf.json --logical-date 2026-01-31 --note "rerun of January"`,
		Args: exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return trigger(cmd, f, args[0], t)
		},
		ValidArgsFunction: completeArguments(completeDAGs),
	}
	cmd.Flags().StringVar(&t.conf, "conf", "", "JSON object, @FILE to read it from a file, or @- from standard input")
	cmd.Flags().StringVar(&t.logicalDate, "logical-date", "",
		"date that the run is for, UTC unless it has an offset (default now)")
	cmd.Flags().StringVar(&t.runID, "run-id", "", "id of the run (default manual__ and the time)")
	cmd.Flags().StringVar(&t.note, "note", "", "note for people")
	cmd.Flags().BoolVar(&t.unpause, "unpause", false, "un-pause the DAG too")
	cmd.Flags().BoolVar(&t.wait, "wait", false, "wait until the run has ended")
	addTimeoutFlag(cmd, &t.timeout)
	return cmd
}

func trigger(cmd *cobra.Command, f *clientFlags, id string, t triggerFlags) error {
	c, err := f.dial()
	if err != nil {
		return err
	}
	body, err := t.body(cmd.InOrStdin())
	if err != nil {
		return err
	}
	var run client.Item[client.Run]
	r := client.Request{Method: http.MethodPost, Path: []string{"dags", id, "dagRuns"}, Body: body}
	if err := c.Call(cmd.Context(), r, &run); err != nil {
		return err
	}
	if !t.wait {
		return f.show(cmd.OutOrStdout(), run, func(t *table) {
			t.line("run %s is %s", run.Fields.ID, run.Fields.State)
			t.line("follow its log: dagwright logs -f %s %s", id, run.Fields.ID)
		})
	}
	return waitRun(cmd, f, c, run.Fields, t.timeout)
}

// body is the request's body. A null logical date means now.
func (t triggerFlags) body(stdin io.Reader) (map[string]any, error) {
	body := map[string]any{"logical_date": nil}
	date, err := parseMoment("--logical-date", t.logicalDate, time.UTC, time.Time{})
	if err != nil {
		return nil, err
	}
	if !date.IsZero() {
		body["logical_date"] = date.UTC().Format(time.RFC3339Nano)
	}
	if t.conf != "" {
		if body["conf"], err = readConf(t.conf, stdin); err != nil {
			return nil, err
		}
	}
	if t.runID != "" {
		body["dag_run_id"] = t.runID
	}
	if t.note != "" {
		body["note"] = t.note
	}
	if t.unpause {
		body["unpause"] = true
	}
	return body, nil
}

// readConf reads --conf and checks that it is a JSON object; the server checks
// the rest.
func readConf(flag string, stdin io.Reader) (json.RawMessage, error) {
	text := []byte(flag)
	if file, ok := strings.CutPrefix(flag, "@"); ok {
		var err error
		if file == "-" {
			text, err = io.ReadAll(stdin)
		} else {
			text, err = os.ReadFile(file)
		}
		if err != nil {
			return nil, usage.New(fmt.Errorf("read --conf: %w", err))
		}
	}
	var object map[string]json.RawMessage // numbers stay as they are written
	err := json.Unmarshal(text, &object)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		line, column := position(text, int(syntax.Offset))
		return nil, usage.New(fmt.Errorf("--conf: line %d, column %d: %w", line, column, err))
	case err != nil || object == nil:
		return nil, usage.New(errors.New(`--conf: want a JSON object such as {"SCORING_DATE": "2026-01-31"}`))
	}
	return text, nil
}

// position is the line and column, both from 1, of the byte that ends at
// offset.
func position(text []byte, offset int) (line, column int) {
	before := text[:min(max(offset-1, 0), len(text))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}
