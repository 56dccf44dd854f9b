package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"dagwright/dag"
	"dagwright/timetable"
	"dagwright/usage"
)

// scheduleFlags are the flags of "dagwright schedule".
type scheduleFlags struct {
	timezone, start, end, output string
	count                        int
	intervals                    bool
}

// scheduledRun is one line of the output. The names are Airflow's.
type scheduledRun struct {
	LogicalDate       string `json:"logical_date" yaml:"logical_date"`
	DataIntervalStart string `json:"data_interval_start" yaml:"data_interval_start"`
	DataIntervalEnd   string `json:"data_interval_end" yaml:"data_interval_end"`
	RunAfter          string `json:"run_after" yaml:"run_after"`
}

func newScheduleCommand() *cobra.Command {
	var f scheduleFlags
	cmd := &cobra.Command{
		Use:   "schedule EXPRESSION…",
		Short: "Show when a cron expression or preset runs",
		Long: `Show the runs that a schedule calls for, by Airflow's rules, including across
changes of daylight saving time. Times are printed in UTC; the table adds local
time.

EXPRESSION is a cron expression of five fields, of six with seconds last, or of
seven with years after the seconds; or a preset such as @daily. Of several the
schedule has the runs of all, as MultipleCronTriggerTimetable has.`,
		Example: `  dagwright schedule "30 2 * * *" --timezone Europe/Berlin --start 2026-03-27 --count 8
  dagwright schedule @monthly --data-intervals --output json
  dagwright schedule "0 6 * * 1-5" "0 9 * * 0,6"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage.New(fmt.Errorf("name at least one expression: %s", cmd.UseLine()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return showSchedule(cmd.OutOrStdout(), args, f)
		},
	}
	cmd.Flags().StringVar(&f.timezone, "timezone", "UTC", "IANA time zone in which the expression is read")
	cmd.Flags().StringVar(&f.start, "start", "",
		"first moment: 2026-03-27 (midnight in the zone), a local time, or a time with offset (default now)")
	cmd.Flags().StringVar(&f.end, "end", "", "last moment, written like --start")
	cmd.Flags().IntVar(&f.count, "count", 5, "how many runs to show, 1 to 10000")
	cmd.Flags().BoolVar(&f.intervals, "data-intervals", false,
		"use CronDataIntervalTimetable instead of CronTriggerTimetable")
	cmd.Flags().StringVar(&f.output, "output", "table", "table, json or yaml")
	return cmd
}

func showSchedule(w io.Writer, exprs []string, f scheduleFlags) error {
	if f.count < 1 || f.count > 10000 {
		return usage.New(fmt.Errorf("--count %d: want 1 to 10000", f.count))
	}
	zone, err := time.LoadLocation(f.timezone)
	if err != nil || f.timezone == "" || f.timezone == "Local" {
		return usage.New(fmt.Errorf("--timezone %q is not an IANA time zone such as Europe/Berlin", f.timezone))
	}
	schedule, err := dag.ParseSchedules(exprs, zone)
	if err != nil {
		return usage.New(err)
	}
	if f.intervals && len(exprs) > 1 {
		return usage.New(errors.New("--data-intervals takes one expression"))
	}
	if f.intervals && schedule.Kind == dag.ScheduleCronTrigger {
		schedule.Kind = dag.ScheduleCronInterval
	}
	tt, err := timetable.Parse(schedule)
	if err != nil {
		return usage.New(err)
	}
	bounds := timetable.Bounds{Catchup: true}
	if bounds.Start, err = parseMoment("--start", f.start, zone, time.Now()); err != nil {
		return err
	}
	if bounds.End, err = parseMoment("--end", f.end, zone, time.Time{}); err != nil {
		return err
	}
	runs, err := tt.Upcoming(time.Time{}, bounds, f.count)
	if err != nil {
		return usage.New(err)
	}
	if len(runs) == 0 && schedule.Expr != "" && bounds.End.IsZero() {
		return usage.New(fmt.Errorf("schedule %q never matches again after %s: its years are past", schedule.Summary(),
			utc(bounds.Start)))
	}
	return printSchedule(w, runs, zone, f.output)
}

// parseMoment reads a date or time of the command line; an empty one is
// whenEmpty.
func parseMoment(flag, text string, zone *time.Location, whenEmpty time.Time) (time.Time, error) {
	if text == "" {
		return whenEmpty, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04",
		"2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage.New(fmt.Errorf("%s %q: want 2026-03-27, 2026-03-27T02:30 or 2026-03-27T02:30:00+01:00",
		flag, text))
}

func printSchedule(w io.Writer, runs []timetable.Run, zone *time.Location, output string) error {
	rows := make([]scheduledRun, len(runs))
	for i, r := range runs {
		rows[i] = scheduledRun{utc(r.LogicalDate), utc(r.Interval.Start), utc(r.Interval.End), utc(r.RunAfter)}
	}
	switch output {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(rows)
	case "yaml":
		return yaml.NewEncoder(w).Encode(rows)
	case "table":
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "LOGICAL DATE\tDATA INTERVAL START\tDATA INTERVAL END\tRUN AFTER\tLOCAL TIME")
		for i, r := range rows {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", r.LogicalDate, r.DataIntervalStart, r.DataIntervalEnd, r.RunAfter,
				runs[i].RunAfter.In(zone).Format("Mon 2006-01-02 15:04:05 -0700"))
		}
		return tw.Flush()
	}
	return usage.New(fmt.Errorf("--output %q: want table, json or yaml", output))
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }
