package main

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dagwright/dev"
)

const canary = "canary-7f3a"

// wrongConfs are confs that no run may have, and what the refusal must name.
func wrongConfs() map[string][2]string {
	return map[string][2]string{
		"a list":            {`["` + canary + `"]`, "conf"},
		"a text":            {`"` + canary + `"`, "conf"},
		"a number":          {`1`, "conf"},
		"an illegal key":    {`{"a-b": "` + canary + `"}`, "a-b"},
		"a digit first":     {`{"1A": "` + canary + `"}`, "1A"},
		"an empty key":      {`{"": "` + canary + `"}`, "key"},
		"an assignment":     {`{"A=B": "` + canary + `"}`, "A=B"},
		"another script":    {`{"КЛЮЧ": "` + canary + `"}`, "КЛЮЧ"},
		"PATH":              {`{"PATH": "` + canary + `"}`, "PATH"},
		"LD_PRELOAD":        {`{"LD_PRELOAD": "` + canary + `"}`, "LD_PRELOAD"},
		"AIRFLOW_CTX_X":     {`{"AIRFLOW_CTX_X": "` + canary + `"}`, "AIRFLOW_CTX_X"},
		"the second of two": {`{"FINE": 1, "PYTHONPATH": "` + canary + `"}`, "PYTHONPATH"},
		"NUL in a value":    {`{"NOTE_1": "` + canary + `\u0000"}`, "NOTE_1"},
		"NUL in a key":      {`{"NOTE\u0000": "` + canary + `"}`, "NOTE"},
		"a huge value":      {`{"NOTE_3": "` + canary + strings.Repeat("x", 70_000) + `"}`, "NOTE_3"},
		"huge in all":       {`{` + hugeFields() + `}`, "NOTE_"},
		"a huge key":        {`{"` + strings.Repeat("K", 5000) + `": 1}`, "KKKK"},
		"deep":              {`{"NOTE_4": ` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "NOTE_4"},
		"very deep":         {`{"NOTE_5": ` + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000) + `}`, ""},
	}
}

func hugeFields() string {
	fields := make([]string, 6)
	for i := range fields {
		fields[i] = fmt.Sprintf(`"NOTE_%d": "%s"`, i, strings.Repeat("x", 60_000))
	}
	return strings.Join(fields, ", ")
}

func TestWrongConfIsRefused(t *testing.T) {
	t.Parallel()
	d := startDevProcess(t, "--log-level", "debug")
	for name, c := range wrongConfs() {
		conf, word := c[0], c[1]
		status, body := d.trigger(t, "churn-model", `{"logical_date": null, "conf": `+conf+`}`)
		if status < 400 || status > 499 || !strings.Contains(body, word) {
			t.Errorf("API, %s: %d %.300s, want 4xx with %s", name, status, body, word)
		}
		status, body = d.triggerForm(t, "churn-model", url.Values{"conf": {conf}})
		if message := formError(body); status < 400 || status > 499 || !strings.Contains(message, word) && word != "conf" ||
			message == "" {
			t.Errorf("page, %s: %d %.300q, want 4xx with %s", name, status, message, word)
		}
	}
	if _, body := d.get(t,
		"/api/v2/dags/churn-model/dagRuns"); !regexp.MustCompile(`"total_entries": ?0`).MatchString(body) {
		t.Errorf("runs were made: %s", body)
	}
	d.wantSecretless(t)
}

// formError is what a page with a form says is wrong.
func formError(page string) string {
	var found []string
	for _, m := range regexp.MustCompile(`class="(?:error|alert)"[^>]*>([^<]*)<`).FindAllStringSubmatch(page, -1) {
		found = append(found, html.UnescapeString(m[1]))
	}
	return strings.Join(found, " ")
}

// wantSecretless stops the server and looks for secrets in its log and its
// audit log.
func (d *devProcess) wantSecretless(t *testing.T) {
	t.Helper()
	secret := d.secret(t)
	_, audit := d.get(t, "/audit")
	_, events := d.get(t, "/api/v2/eventLogs")
	d.stop()
	for where, text := range map[string]string{"the log": d.log.String(), "/audit": audit, "/api/v2/eventLogs": events} {
		for _, s := range []string{canary, secret, strings.TrimPrefix(secret, "whsec_")} {
			for line := range strings.Lines(text) {
				if strings.Contains(line, s) {
					t.Errorf("%s has a secret: %.400s", where, line)
				}
			}
		}
	}
}

const leaky = `leaky:
  schedule: none
  tasks:
    - task_id: TASK
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/hello:1
      cmds: [echo]
      env_vars: {VALUE: '%s'}
`

// TestNoSecretInLogs runs tasks with a conf that is a secret, well and badly,
// with everything logged.
func TestNoSecretInLogs(t *testing.T) {
	t.Parallel()
	d := startDevProcess(t, "--log-level", "debug")
	conf := `{"logical_date": null, "unpause": true, "conf": {"NOTE_X": "` + canary + `"}}`
	d.runToEnd(t, "churn-model", conf, "success")
	if status, _ := d.triggerForm(t, "fraud-model",
		url.Values{"conf": {`{"NOTE_X": "` + canary + `"}`}, "unpause": {"1"}}); status != http.StatusSeeOther {
		t.Errorf("form: %d", status)
	}
	clone := d.clone(t, dev.DAGRepository)
	for i, template := range []string{
		`{{ macros.ds_add(dag_run.conf["NOTE_X"], 1) }}`,
		`{{ dag_run.conf.NOTE_X.missing.more }}`,
		`{{ dag_run.conf["NOTE_X"] | int + dag_run.conf["NOTE_X"] }}`,
		`{{ macros.datetime.strptime(dag_run.conf["NOTE_X"], "%%Y") }}`,
		`{{ params[dag_run.conf["NOTE_X"]] }}`,
		`{{ {}[dag_run.conf["NOTE_X"]] }}`,
		`{{ "{:d}".format(dag_run.conf["NOTE_X"]) }}`,
	} {
		template = strings.ReplaceAll(template, "%%", "%")
		id := fmt.Sprintf("leaky-%d", i)
		spec := strings.Replace(fmt.Sprintf(leaky, template), "leaky:", id+":", 1)
		write(t, filepath.Join(clone, id+".yaml"), []byte(spec))
	}
	d.push(t, clone, "Add templates that fail")
	for i := range 7 {
		id := fmt.Sprintf("leaky-%d", i)
		d.await(t, `"dag_id": ?"`+id+`"`, "/api/v2/dags?limit=100")
		d.runToEnd(t, id, conf, "failed")
	}
	d.wantSecretless(t)
}

// TestTemplateThatCannotBeRendered names what is missing: of a template that fails in
// every run as an import error, of another one when its task starts. No template reads a
// file.
func TestTemplateThatCannotBeRendered(t *testing.T) {
	t.Parallel()
	d := startDevProcess(t)
	clone := d.clone(t, dev.DAGRepository)
	refused := map[string]struct{ template, want string }{
		"undefined": {`{{ dss }}`, "dss is not defined"},
		"include":   {`{% include "/etc/passwd" %}`, "include %} is not available"},
		"import":    {`{% import "/etc/passwd" as x %}`, "import %} is not available"},
		"extends":   {`{% extends "/etc/passwd" %}`, "extends %} is not available"},
	}
	for id, c := range refused {
		write(t, filepath.Join(clone, id+".yaml"),
			[]byte(strings.Replace(fmt.Sprintf(leaky, c.template), "leaky:", id+":", 1)))
	}
	loop := fmt.Sprintf(leaky, `{% for i in range(999999999 + ts_nodash|length) %}x{% endfor %}`)
	write(t, filepath.Join(clone, "loop.yaml"), []byte(strings.Replace(loop, "leaky:", "loop:", 1)))
	d.push(t, clone, "Add templates that fail")
	for id, c := range refused {
		d.await(t, id+`\.yaml:8:\d+: .*`+regexp.QuoteMeta(c.want), "/api/v2/importErrors?limit=100")
	}
	d.await(t, `"dag_id": ?"loop"`, "/api/v2/dags?limit=100")
	run := d.runToEnd(t, "loop", `{"logical_date": null, "unpause": true}`, "failed")
	if _, log := d.get(t, "/dags/loop/runs/"+run+"/tasks/TASK/log"); !strings.Contains(log,
		"range makes 10000 numbers at most") {
		t.Errorf("the log says\n%s", log)
	}
}

func TestForeignRequests(t *testing.T) {
	t.Parallel()
	d := startDevProcess(t)
	form := "application/x-www-form-urlencoded"
	foreign := map[string]func(*http.Request){
		"origin":      func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"null origin": func(r *http.Request) { r.Header.Set("Origin", "null") },
		"cross-site":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"same-site":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"host":        func(r *http.Request) { r.Host = "evil.example" },
		"port":        func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") },
	}
	for name, change := range foreign {
		for _, r := range []*http.Request{
			d.request(t, http.MethodPost, "/dags/churn-model/pause", form, "paused=false"),
			d.request(t, http.MethodPost, "/dags/churn-model/trigger", form, ""),
			d.request(t, http.MethodPost, "/api/v2/dags/churn-model/dagRuns", "application/json", `{"logical_date": null}`),
			d.request(t, http.MethodPost, "/api/v2/dags/churn-model/dagRuns", "text/plain", `{"logical_date": null}`),
			d.request(t, http.MethodPatch, "/api/v2/dags/churn-model", "application/json", `{"is_paused": false}`),
		} {
			change(r)
			if status, body := d.do(t, r); status != http.StatusForbidden && status != http.StatusMisdirectedRequest {
				t.Errorf("%s: %s %s: %d %.100s", name, r.Method, r.URL.Path, status, body)
			}
		}
	}
	read := d.request(t, http.MethodGet, "/api/v2/dags", "", "")
	read.Host = "evil.example:80"
	if status, body := d.do(t, read); status != http.StatusMisdirectedRequest {
		t.Errorf("reading under a foreign name: %d %.100s", status, body)
	}
	if _, body := d.get(t, "/api/v2/dags/churn-model"); !regexp.MustCompile(`"is_paused": ?true`).MatchString(body) {
		t.Errorf("the DAG is %s", body)
	}
	for _, path := range []string{
		"/nowhere", "/dags/..%2f..", "/dags/..%2f../graph", "/dags/%2e%2e%2f%2e%2e/runs", "/dags/a%00b",
		"/dags/" + strings.Repeat("a", 5000),
		"/api/v2/nowhere", "/api/v2/dags/..%2f..", "/api/v2/dags/..%2f../dagRuns", "/static/..%2f..%2f..%2fetc%2fpasswd",
		"/dags/churn-model/runs/..%2f..", "/dags/churn-model/runs/..%2f../tasks/..%2f../log",
		"/dags/churn-model/runs/..%2f../tasks/..%2f../log/stream", "/dags/%D0%BC%D0%BE%D0%B4%D0%B5%D0%BB%D1%8C",
		"/hooks/nowhere", "/hooks/../api/v2/nowhere",
	} {
		if status, body := d.get(t, path); status != http.StatusNotFound || strings.Contains(body, "root:") {
			t.Errorf("GET %.80s: %d %.100s, want 404", path, status, body)
		}
	}
}
