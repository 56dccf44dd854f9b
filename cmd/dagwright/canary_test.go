package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dagwright/cli/clitest"
	"dagwright/gitlab/gitlabtest"
	"dagwright/gitrepo"
	"dagwright/store/storetest"
)

// canaries are values that stand for the secrets of an instance, one for each, and
// are found nowhere else.
type canaries map[string]string

// newCanary adds a secret. Its text begins and ends so that a value that is cut in
// the middle is found as well.
func (c canaries) newCanary(name string) string {
	c[name] = "cnry-" + name + "-" + rand.Text()
	return c[name]
}

// sightings are the canaries that stand in a text: as they are, a half of them, or
// as HTTP's basic authentication, base64 or a URL writes them.
func (c canaries) sightings(text []byte) []string {
	var seen []string
	for name, value := range c {
		half := value[len(value)-13:]
		forms := []string{half, url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value)),
			base64.StdEncoding.EncodeToString([]byte("dagwright:" + value)), base64.RawURLEncoding.EncodeToString([]byte(value))}
		for _, form := range forms {
			if bytes.Contains(text, []byte(form)) {
				seen = append(seen, name)
				break
			}
		}
	}
	slices.Sort(seen)
	return seen
}

func (c canaries) wantNone(t *testing.T, what string, text []byte) {
	t.Helper()
	if seen := c.sightings(text); len(seen) > 0 {
		t.Errorf("%s shows the secrets %v", what, seen)
	}
}

// TestNoSightingOfSecrets takes a commit to its log on an instance that logs
// everything, whose every secret is a canary, lets each thing that it depends upon
// refuse it, and looks for the canaries in its log, its answers, its database, the
// DAG repository and its data folder (CVE-2025-62157, CVE-2026-42295,
// CVE-2024-52009, CVE-2024-31216, CVE-2025-23216).
func TestNoSightingOfSecrets(t *testing.T) {
	t.Parallel()
	c := canaries{}
	gl := gitlabtest.New(t)
	gl.Token = c.newCanary("token")
	for _, project := range []string{testDAGProject, testModel} {
		gl.CreateProject(project)
	}
	key := "whsec_" + base64.StdEncoding.EncodeToString([]byte(c.newCanary("signing-key")))
	c["signing-key-text"] = key
	in := &site{T: t, dir: t.TempDir(), log: &lockedBuffer{}}
	in.write("token", gl.Token)
	in.write("key", key)
	in.write("hook", c.newCanary("hook"))
	in.write("mounted", c.newCanary("mounted"))
	schema := storetest.Postgres(t)
	dsn := strings.Replace(schema, "dagwright@", "dagwright:"+c.newCanary("database")+"@", 1)
	in.write("dsn", dsn)
	in.write("dagwright.yml",
		in.canaryConfig(gl, "gitlab: {url: \""+gl.URL+"\", token_file: token, reconcile: 1s, groups: [gbc]}", "token"))
	in.startDebug()
	gl.HookURL, gl.HookSecret = in.url+"/hooks/gitlab", key
	model := map[string]string{"main.py": "import os\nprint('environment', dict(os.environ))\nprint('parent', open(f'/proc/{os.getppid()}/environ', 'rb').read())\n"}
	newCheckout(t, gl, testModel, "main", model, exampleModel(t))
	awaitDAG(t, in, "churn-model")
	in.client("dags", "trigger", "churn-model", "--wait")
	in.hooks(c["hook"])

	in.lookEverywhere(c, gl)
	c.wantNone(t, "the database", dumpPostgres(t, schema))

	// A task that gets hold of them prints them: the pages and the API mask them.
	leak := map[string]string{"main.py": fmt.Sprintf(
		"for name in ('token', 'key', 'hook', 'mounted', 'dsn'):\n    print('read', name, open(%q + name).read(), flush=True)\n",
		in.dir+"/")}
	newCheckout(t, gl, testModel, "main", leak, exampleModel(t))
	in.awaitText("/api/v2/dags/churn-model/dagVersions/2", `"version_number"`)
	in.client("dags", "trigger", "churn-model", "--wait")
	pages := in.pages(c)
	if !bytes.Contains(pages, []byte("read mounted ****")) {
		t.Errorf("no page shows the leaking log:\n%.3000s", in.log)
	}

	wrongPasswords(t, c, gl)
}

// canaryConfig is a configuration with everything that has a secret.
func (in *site) canaryConfig(gl *gitlabtest.Server, gitlab, password string) string {
	return fmt.Sprintf(`
listen: 127.0.0.1:0
auth: none
public_url: %s
database_file: dsn
data: data
dag_repository: {url: %q, project: %s, username: dagwright, password_file: %s}
%s
webhook: {secret_files: [key, hook], previews: true}
models: {registry: registry.example.com}
scheduler: {executor: process, poll: 1s}
logs: {mask_files: [mounted]}
`, publicURL, gl.CloneURL(testDAGProject), testDAGProject, password, gitlab)
}

// startDebug starts the instance in its folder, with everything logged.
func (in *site) startDebug(env ...string) {
	in.Helper()
	in.begin("debug", in.dir, env...)
}

// hooks sends events with right and wrong secrets, whose bodies are nonsense.
func (in *site) hooks(secret string) {
	in.Helper()
	for _, token := range []string{secret, "wrong", secret + "x"} {
		for _, body := range []string{`{"object_kind": "push"}`, `{`, `{"object_kind": "push", "ref": 1}`} {
			r, err := http.NewRequestWithContext(in.Context(), http.MethodPost, in.url+"/hooks/gitlab", strings.NewReader(body))
			if err != nil {
				in.Fatal(err)
			}
			r.Header.Set("X-Gitlab-Token", token)
			r.Header.Set("X-Gitlab-Event", "Push Hook")
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				in.Fatal(err)
			}
			_ = answer.Body.Close()
		}
	}
}

// pages reads every page and every list of the API, and what they lead to, and
// looks for canaries in each.
func (in *site) pages(c canaries) []byte {
	in.Helper()
	var all bytes.Buffer
	seen, queue := map[string]bool{}, []string{"/", "/models", "/import-errors", "/audit", "/api/v2/dags",
		"/api/v2/pushes", "/api/v2/eventLogs",
		"/api/v2/importErrors", "/api/v2/dagTags", "/api/v2/dagStats", "/api/v2/monitor/health", "/api/v2/version",
		"/api/v2/dagSources/churn-model",
		"/api/v2/dags/churn-model/details", "/api/v2/dags/churn-model/provenance", "/api/v2/dags/churn-model/tasks",
		"/api/v2/dags/churn-model/dagRuns", "/api/v2/dags/churn-model/dagVersions"}
	for len(queue) > 0 && len(seen) < 400 {
		path := queue[0]
		queue = queue[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		text := []byte(in.get(path))
		c.wantNone(in.T, path, text)
		all.Write(text)
		for _, link := range bytes.Split(text, []byte(`href="/`))[1:] {
			if to, _, ok := bytes.Cut(link, []byte(`"`)); ok && !bytes.HasPrefix(to, []byte("static/")) {
				next, _, _ := strings.Cut(strings.ReplaceAll("/"+string(to), "&amp;", "&"), "#")
				queue = append(queue, next)
			}
		}
	}
	for _, run := range in.runsOf("churn-model") {
		base := "/api/v2/dags/churn-model/dagRuns/" + url.PathEscape(run)
		for _, path := range []string{base, base + "/taskInstances", base + "/taskInstances/run_model/logs/1",
			base + "/taskInstances/run_model/logs/1?full_content=true",
			"/dags/churn-model/runs/" + url.PathEscape(run) + "/tasks/run_model/log?download=1",
			"/dags/churn-model/runs/" + url.PathEscape(run) + "/tasks/run_model/log/stream?try=1&offset=0"} {
			text := []byte(in.get(path))
			c.wantNone(in.T, path, text)
			all.Write(text)
		}
	}
	return all.Bytes()
}

// lookEverywhere looks for canaries in the answers, the log, the data folder with
// its clones, and the DAG repository.
func (in *site) lookEverywhere(c canaries, gl *gitlabtest.Server) {
	in.Helper()
	if pages := in.pages(c); !bytes.Contains(pages, []byte("AIRFLOW_CTX_DAG_ID")) {
		in.Errorf("no page shows the log of the run")
	}
	c.wantNone(in.T, "the log of the process", []byte(in.log.String()))
	c.wantNone(in.T, "the DAG repository", []byte(gl.Files(testDAGProject, "main")+gl.Log(testDAGProject, "main")))
	err := filepath.WalkDir(in.path("data"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err // a folder, or the supervisor's socket
		}
		text, err := os.ReadFile(path)
		c.wantNone(in.T, path, text)
		return err
	})
	if err != nil {
		in.Error(err)
	}
	clones, err := filepath.Glob(in.path("data/clones/*.git"))
	if err != nil || len(clones) == 0 {
		in.Fatalf("no clones: %v", err)
	}
	for _, clone := range clones {
		text, err := gitrepo.Git(in.Context(), clone, "log", "--all", "--patch", "--format=raw")
		if err != nil {
			in.Error(err)
		}
		c.wantNone(in.T, clone, []byte(text))
	}
}

// wrongPasswords starts instances that each thing they depend upon refuses.
func wrongPasswords(t *testing.T, c canaries, gl *gitlabtest.Server) {
	t.Helper()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "you sent "+fmt.Sprint(r.Header)) // a server that says back what it was sent
	}))
	t.Cleanup(refusing.Close)
	host := strings.TrimPrefix(refusing.URL, "http://")
	kubeconfig := fmt.Sprintf(
		"apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {token: %s}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n",
		refusing.URL, c.newCanary("kubernetes"))
	for name, change := range map[string]struct {
		config func(in *site) string
		// says is what the log must tell, to know that it was refused.
		says string
	}{
		"GitLab and the DAG repository": {func(in *site) string {
			in.write("wrong", c.newCanary("wrong"))
			return in.canaryConfig(gl, "gitlab: {url: \""+gl.URL+"\", token_file: wrong, reconcile: 1s, groups: [gbc]}", "wrong")
		}, "sync DAG repository"},
		"a GitLab that says headers back": {func(in *site) string {
			in.write("wrong", c.newCanary("echoed"))
			return strings.Replace(in.canaryConfig(gl,
				"gitlab: {url: \""+refusing.URL+"\", token_file: wrong, reconcile: 1s, groups: [gbc]}", "wrong"), gl.URL,
				refusing.URL, 1)
		}, "sync DAG repository"},
		"the database": {func(in *site) string {
			in.write("dsn",
				"postgres://dagwright:"+c.newCanary("closed")+"@"+host+"/dagwright?sslmode=disable&connect_timeout=2")
			return in.canaryConfig(gl, "gitlab: {url: \""+gl.URL+"\", token_file: token, groups: [gbc]}", "token")
		}, "open database"},
		"a database address that cannot be read": {func(in *site) string {
			in.write("dsn", "postgres://dagwright:"+c.newCanary("broken-address")+"@[::1/dagwright?port=x")
			return in.canaryConfig(gl, "gitlab: {url: \""+gl.URL+"\", token_file: token, groups: [gbc]}", "token")
		}, "open database"},
		"object storage": {func(in *site) string {
			return strings.Replace(in.canaryConfig(gl, "gitlab: {url: \""+gl.URL+"\", token_file: token, groups: [gbc]}",
				"token"), "logs: {", "logs: {bucket: \"s3://logs/x?region=r&endpoint="+refusing.URL+"\", ", 1)
		}, "bucket"},
		"Kubernetes": {func(in *site) string {
			in.write("kubeconfig", kubeconfig)
			config := in.canaryConfig(gl, "gitlab: {url: \""+gl.URL+"\", token_file: token, groups: [gbc]}", "token")
			return strings.Replace(config, "executor: process", "executor: kubernetes", 1) +
				"kubernetes: {kubeconfig: kubeconfig, namespace: models, instance: test}\n"
		}, "provide credentials"},
	} {
		in := &site{T: t, dir: t.TempDir(), log: &lockedBuffer{}}
		in.write("token", gl.Token)
		in.write("key", instanceKey)
		in.write("hook", c["hook"])
		in.write("mounted", c["mounted"])
		in.write("dsn", "sqlite:"+in.path("db"))
		in.write("dagwright.yml", change.config(in))
		text := in.refused(change.says, "AWS_ACCESS_KEY_ID=someone", "AWS_SECRET_ACCESS_KEY="+c.newCanary("s3"))
		c.wantNone(t, "the log of an instance refused by "+name, []byte(text))
	}
}

// refused runs the instance until its output says something, or it ends.
func (in *site) refused(says string, env ...string) string {
	in.Helper()
	ctx, cancel := context.WithTimeout(in.Context(), time.Minute)
	defer cancel()
	cmd := clitest.Program(ctx, "serve", "--config", in.path("dagwright.yml"), "--log-level", "debug")
	cmd.Dir = in.dir
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = in.log, in.log
	if err := cmd.Start(); err != nil {
		in.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it fails, or is ended
		close(ended)
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-ended:
			done = true
		case <-tick.C:
			done = strings.Contains(in.log.String(), says)
		}
	}
	_ = cmd.Process.Signal(os.Interrupt)
	<-ended
	if !strings.Contains(in.log.String(), says) {
		in.Errorf("the log does not say %q:\n%.3000s", says, in.log)
	}
	return in.log.String()
}

// dumpPostgres is every row of every table.
func dumpPostgres(t *testing.T, dsn string) []byte {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	read := func(query string) []string {
		rows, err := conn.Query(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return texts
	}
	var dump bytes.Buffer
	tables := read(`SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()`)
	for _, table := range tables {
		for _, row := range read(`SELECT t::text FROM ` + table + ` t`) {
			fmt.Fprintln(&dump, table, row)
		}
	}
	if !strings.Contains(dump.String(), "churn-model") {
		t.Fatalf("the dump of %d tables has no DAG", len(tables))
	}
	return dump.Bytes()
}

// awaitText asks for a path until the answer holds a text.
func (in *site) awaitText(path, want string) {
	in.Helper()
	deadline := time.After(scriptPatience)
	for !strings.Contains(in.get(path), want) {
		select {
		case <-deadline:
			in.Fatalf("%s does not say %q: %s", path, want, in.get(path))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// runsOf are the ids of a DAG's runs.
func (in *site) runsOf(id string) []string {
	in.Helper()
	var answer struct {
		Runs []struct {
			ID string `json:"dag_run_id"`
		} `json:"dag_runs"`
	}
	if err := json.Unmarshal([]byte(in.get("/api/v2/dags/"+id+"/dagRuns")), &answer); err != nil {
		in.Fatal(err)
	}
	var ids []string
	for _, r := range answer.Runs {
		ids = append(ids, r.ID)
	}
	return ids
}
