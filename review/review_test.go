package review_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/review"
)

var update = flag.Bool("update", false, "write the golden files again")

var now = time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)

const specBefore = `churn:
  schedule: "0 6 * * *"
  start_date: "2024-01-01"
  timezone: UTC
  tasks:
    - task_id: run_model
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/gbc/churn:aaaaaaaa
      cmds: [python, main.py]
    - task_id: tell
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/gbc/churn:aaaaaaaa
      cmds: [python, tell.py]
      dependencies: [run_model]
`

// specAfter changes the schedule and its zone, the image of all, a command and
// resources; it drops a task and adds two.
const specAfter = `churn:
  schedule: "30 2 * * *"
  start_date: "2024-01-01"
  timezone: Europe/Berlin
  tags: [risk]
  params: {DATE: ""}
  tasks:
    - task_id: run_model
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/gbc/churn:bbbbbbbb
      cmds: [python, main.py, --fast]
      container_resources: {limits: {memory: 2Gi}}
    - task_id: check
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/gbc/churn:bbbbbbbb
      cmds: [python, check.py]
      dependencies: [run_model]
    - task_id: publish
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/gbc/churn:bbbbbbbb
      cmds: [python, publish.py]
      dependencies: [run_model, check]
`

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]review.Change{
		"changed": review.Load("dags/gbc/churn.yaml", specBefore, specAfter),
		"new":     review.Load("dags/gbc/churn.yaml", "", specBefore),
		"removed": review.Load("dags/gbc/churn.yaml", specBefore, ""),
		"broken":  review.Load("dags/gbc/churn.yaml", "{{{", specBefore),
	} {
		for ext, got := range map[string]string{".md": c.Markdown(now), ".txt": c.Plain(now)} {
			file := filepath.Join("testdata", name+ext)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", file, diff)
			}
		}
	}
}

// Local times follow the zone across the change of daylight saving time.
func TestNextRunsInTheZone(t *testing.T) {
	t.Parallel()
	c := review.Load("x.yaml", "", specAfter)
	runs, err := review.NextRuns(c.After, now, 3)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range runs {
		got = append(got, r.Format(time.RFC3339))
	}
	// On 29 March 2026 there is no 02:30 in Berlin.
	want := []string{"2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What others wrote cannot leave its place in the Markdown.
func TestHostileTextStaysInItsPlace(t *testing.T) {
	t.Parallel()
	evil := strings.ReplaceAll(specBefore, "[python, main.py]", "[\"```\\n# Title `x` <script>\"]")
	c := review.Load("dags/gbc/churn.yaml", specBefore, evil)
	for _, w := range c.Words() {
		if strings.Contains(w, "\n") || strings.Contains(w, "```") {
			t.Errorf("word %q", w)
		}
	}
	text := c.Markdown(now)
	fence := strings.Index(text, "````") // longer than any run of backticks inside
	if fence < 0 || strings.Contains(text[:fence], "<script>\n") {
		t.Errorf("the difference is not fenced:\n%s", text)
	}
}

func TestUnchanged(t *testing.T) {
	t.Parallel()
	c := review.Load("x.yaml", specBefore, specBefore)
	if c.Diff() != "" {
		t.Errorf("difference %q", c.Diff())
	}
}

// The words of a schedule that is over differ from those of a DAG without one.
func TestScheduleThatIsOver(t *testing.T) {
	t.Parallel()
	for schedule, want := range map[string]string{
		`"0 6 * * * 0 2020"`: "never matches again: its years are past.",
		`"0 6 * * * 0 2030"`: "Next runs, once it is active",
		"none":               "It has no schedule: it runs when somebody triggers it.",
	} {
		c := review.Load("x.yaml", "", strings.Replace(specBefore, `"0 6 * * *"`, schedule, 1))
		if text := c.Markdown(now); !strings.Contains(text, want) {
			t.Errorf("%s:\n%s", schedule, text)
		}
	}
}
