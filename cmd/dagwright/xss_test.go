package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dagwright/dag"
	"dagwright/instance"
	"dagwright/reason"
	"dagwright/store"
	"dagwright/tasklog"
)

// TestScriptInjection puts every payload into every field that a page shows and
// opens the pages in a real browser: none may run, load something or come out as
// markup (CVE-2022-29164, CVE-2022-29947, CVE-2024-2435, CVE-2025-47933,
// CVE-2026-23960, CVE-2026-45738, CVE-2021-45229).
func TestScriptInjection(t *testing.T) {
	t.Parallel()
	for _, need := range []string{"node", "chromium"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Fatalf(`%s is missing: run "make setup", or use "make test", which does it`, need)
		}
	}
	dir := t.TempDir()
	a, err := instance.Open(t.Context(), instance.Settings{
		Components: []string{"ui"}, Database: dag.NewSecret("sqlite:" + filepath.Join(dir, "db")),
		Logs: tasklog.Config{Dir: filepath.Join(dir, "logs")}, GitLab: instance.GitLabSettings{URL: "https://gitlab.example.com"},
		Pages:  instance.PageSettings{Listen: "127.0.0.1:0", Environment: "DEV"},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	logs, err := tasklog.Open(tasklog.Config{Dir: filepath.Join(dir, "logs")}) // the app's own only reads
	if err != nil {
		t.Fatal(err)
	}
	const group = 12
	var paths []string
	for i, texts := range slices.Collect(slices.Chunk(payloads, group)) {
		paths = append(paths,
			fillWith(t, a.Store(), logs, dag.ID(fmt.Sprintf("evil-%d", i)), strings.Join(texts, "\n"), texts)...)
	}
	all := url.QueryEscape(strings.Join(payloads, " "))
	for _, path := range []string{"/?q=", "/?tag=", "/?owner=", "/?state=", "/?order=", "/models?project=",
		"/models?state=", "/audit?dag=", "/audit?user=", "/audit?event=", "/nothing/", "/dags/"} {
		paths = append(paths, path+all)
	}
	paths = append(paths, "/", "/?archived=1", "/models", "/import-errors", "/audit")

	if err := logs.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	cmd := exec.CommandContext(t.Context(), "node", "xss.mjs", a.URL())
	cmd.Dir = browserScripts
	list, err := json.Marshal(paths)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = strings.NewReader(string(list))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%d payloads on %d pages: %s", len(payloads), len(paths), out)
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// fillWith makes a DAG whose every text is evil, with a run, its log, a push and a
// broken file, and returns the addresses that show it.
func fillWith(t *testing.T, s *store.Store, logs *tasklog.Dir, id dag.ID, evil string, texts []string) []string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at, ctx := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), t.Context()
	d := &dag.DAG{
		ID: id, DisplayName: evil, Description: evil, DocMD: evil, Owner: evil, Tags: texts, Timezone: evil, MaxActiveRuns: 1,
		MaxActiveTasks: 1,
		Schedule:       dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: evil, Timezone: evil},
		Source:         dag.Source{Project: evil, Branch: evil, Commit: evil},
		Groups:         []dag.TaskGroup{{Name: evil, Tooltip: evil}},
		Tasks: []dag.Task{
			{ID: "run_model", Operator: evil, Group: evil, Owner: evil, DocMD: evil, TriggerRule: dag.TriggerRule(evil),
				Image: evil, Cmds: texts, Arguments: texts,
				Env: []dag.EnvVar{{Name: evil, Value: evil}},
				Pod: map[string]any{"labels": map[string]any{evil: evil}, "annotations": map[string]any{evil: evil}}},
			{ID: "second", Operator: evil, Upstream: []dag.TaskID{"run_model"}, TriggerRule: dag.AllSuccess, Image: evil},
		},
	}
	for i, text := range texts {
		d.Params = append(d.Params,
			dag.Param{Name: fmt.Sprintf("P%d", i), Default: text, Description: text,
				Schema: map[string]any{"title": text, "type": "string", "pattern": text, "format": text}})
		d.Params = append(d.Params,
			dag.Param{Name: fmt.Sprintf("E%d", i), Default: text,
				Schema: map[string]any{"enum": []any{text, "x"}, "section": text}})
	}
	file := "dags/" + string(id) + evil + ".yaml"
	broken := dag.SpecErrors{{File: evil, Line: 1, Path: evil, Reason: evil}}
	_, err := s.SaveDAGs(ctx, store.Sync{Commit: evil, Changed: []store.SpecFile{
		{Path: file, Blob: "b", Source: string(id) + ": |\n" + evil, DAGs: []*dag.DAG{d}},
		{Path: "broken " + evil, Blob: "c", Source: evil, Errors: broken},
	}})
	must(err)
	by := store.Actor{User: evil, Via: evil}
	run, err := s.TriggerRun(ctx,
		store.Trigger{DAG: id, Run: "one",
			Conf: map[string]any{"EVIL": strings.ToValidUTF8(strings.ReplaceAll(evil, "\x00", ""), "")},
			Note: evil, By: by})
	must(err)
	ti := dag.TaskInstance{DAG: id, Run: run.ID, Task: "run_model", State: dag.TaskFailed, Try: 1, MaxTries: 1,
		Reason: reason.Of(evil), Hostname: evil, QueuedAt: at, StartedAt: at, EndedAt: at}
	_, err = s.Advance(ctx, []dag.ID{id}, func(store.Snapshot) []store.Action {
		return []store.Action{store.StartRun{DAG: id, Run: run.ID, At: at,
			Tasks: []dag.TaskInstance{ti,
				{DAG: id, Run: run.ID, Task: "second", State: dag.TaskUpstreamFailed, Reason: reason.Of(evil)}}},
			store.EndRun{DAG: id, Run: run.ID, From: dag.RunRunning, State: dag.RunFailed, At: at, Reason: reason.Of(evil)}}
	})
	must(err)
	f, err := logs.File(dag.AttemptKey{DAG: id, Run: run.ID, Task: "run_model", Try: 1})
	must(err)
	for _, text := range texts {
		_, err = io.WriteString(f, strings.ReplaceAll(text, "\n", " ")+"\n"+text+"\n")
		must(err)
	}
	must(f.Close())
	project := string(id) + evil
	p := store.Push{ProjectID: int64(len(project)), Project: project, Branch: evil, Before: evil, Commit: evil, User: evil,
		Title: evil, Via: evil, ReceivedAt: at}
	push, _, err := s.RecordPush(ctx, p)
	must(err)
	spec := store.Spec{DAG: id, ProjectID: p.ProjectID, Source: dag.Source{Project: project, Branch: evil, Commit: evil},
		Path: file, Template: evil, MergeRequest: texts[0], Model: evil, ModelPath: evil}
	must(s.FinishPushes(ctx,
		[]store.PushResult{{ID: push, State: store.PushProposed, Reason: evil, DAG: id, DAGCommit: evil,
			MergeRequest: "javascript:alert(1)//" + evil, Specs: []store.Spec{spec}}}))
	must(s.RequestRemoval(ctx, by, id))
	paths := []string{runURLOf(id), runURLOf(id) + "/tasks/run_model", runURLOf(id) + "/tasks/run_model/log",
		runURLOf(id) + "/tasks/run_model/log?q=alert", runURLOf(id) + "/tasks/run_model/spec"}
	for _, tab := range []string{"graph", "grid", "runs", "gantt", "code", "details", "audit", "trigger", "delete"} {
		paths = append(paths, "/dags/"+string(id)+"/"+tab)
	}
	return paths
}

func runURLOf(id dag.ID) string { return "/dags/" + string(id) + "/runs/one" }
