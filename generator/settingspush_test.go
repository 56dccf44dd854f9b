package generator_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/podspec"
	"dagwright/store"
	"dagwright/templates"
)

// TestPolicyNamesTheModelFile refuses what the policy forbids at its place in the model's file.
func TestPolicyNamesTheModelFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(i *generator.Instance) { *i = offering(); i.CheckTask = pods.Check })
	for source, want := range map[string]string{
		"secrets:\n  A: vault/password\n":                                                    `.dagwright.yml:2:6: secrets.A: secret "vault": not in the instance's secrets churn-*`,
		"secret_files:\n  /a: vault\n":                                                       `.dagwright.yml:2:7: secret_files./a: secret "vault": not in`,
		"scoring:\n  secrets: {B: vault/password}":                                           `.dagwright.yml:2:16: scoring.secrets.B: secret "vault": not in`,
		"scoring: {pod: {affinity: {nodeAffinty: {}}}}":                                      `.dagwright.yml:1:27: scoring.pod.affinity.nodeAffinty: unknown field`,
		"scoring:\n  pod: {annotations: {a: b}}":                                             `.dagwright.yml:2:22: scoring.pod.annotations.a: annotation "a": not in the instance's annotations`,
		"volumes: {/m: models}\nscoring: {pod: {volumes: [{name: x, hostPath: {path: /}}]}}": `.dagwright.yml:2:26: scoring.pod.volumes[0]`,
	} {
		s.wantRefused(s.push("gbc/x", "main", source), want)
	}
	s.wantRefused(s.push("gbc/x", "retrain", "retrain:\n  tasks:\n    - {task_id: a}\n    - task_id: b\n      secrets: {A: vault/x}\n"),
		`.dagwright.yml:5:20: retrain.tasks[1].secrets.A: secret "vault": not in the instance's secrets churn-*`)
	if refs := s.git(s.dags, "for-each-ref"); refs != "" {
		t.Errorf("the DAG repository has %q, want nothing", refs)
	}
	s.wantState(s.push("gbc/x", "main", "secrets: {A: churn-db/password}"), store.PushRendered)
}

// TestSecretsOfOthers refuses a secret that the project's models may not name, wherever the file
// names it.
func TestSecretsOfOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(i *generator.Instance) {
		i.CheckSecret = func(project, secret string) error {
			if project == "gbc/x" && secret == "x-db" {
				return nil
			}
			return fmt.Errorf("%s is not for %s", secret, project)
		}
	})
	for source, want := range map[string]string{
		"secrets:\n  A: y-db/password\n":              ".dagwright.yml:2:6: secrets.A: y-db is not for gbc/x",
		"secrets: {A: x-db/a}\nsecret_files: {/a: y}": ".dagwright.yml:2:20: secret_files./a: y is not for gbc/x",
		"scoring:\n  secrets: {A: y/a}":               ".dagwright.yml:2:16: scoring.secrets.A: y is not for gbc/x",
	} {
		s.wantRefused(s.push("gbc/x", "main", source), want)
	}
	s.wantRefused(s.push("gbc/y", "main", "secrets: {A: x-db/password}"), "x-db is not for gbc/y")
	s.wantRefused(s.push("gbc/x", "retrain", "retrain: {tasks: [{task_id: a}, {task_id: b, secrets: {A: y/a}}]}"),
		".dagwright.yml:1:59: retrain.tasks[1].secrets.A: y is not for gbc/x")
	s.wantState(s.push("gbc/x", "main", "secrets: {A: x-db/password}\nretrain: {secrets: {A: y/a}}"), store.PushRendered)
}

// TestTagsAreClaims refuses a tag that gives roles at the key that asks for it.
func TestTagsAreClaims(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(i *generator.Instance) {
		i.CheckClaims = func(d *dag.DAG) error {
			for n, tag := range d.Tags {
				if tag == "secret" {
					return &dag.SpecError{Path: fmt.Sprintf("tags[%d]", n), Reason: "is for nobody"}
				}
			}
			return nil
		}
	})
	s.wantRefused(s.push("gbc/x", "main", "owner: a\ntags: [b, secret]\n"), ".dagwright.yml:2:7: tags: is for nobody")
	s.wantState(s.push("gbc/x", "main", "owner: a\ntags: [b]\n"), store.PushRendered)
}

// TestDocsOfTheCommit reads a model's Markdown file at the commit of its push.
func TestDocsOfTheCommit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	push := func(files map[string]string) store.Push { return s.outcome(s.sendFiles("gbc/x", "main", files)) }
	const model = "owner: a\ndocs: docs/model.md\n"
	s.wantRefused(push(map[string]string{".dagwright.yml": model}),
		".dagwright.yml:2:7: docs: there is no file docs/model.md in this commit")
	s.wantRefused(push(map[string]string{".dagwright.yml": model, "docs/model.md": strings.Repeat("x", 65<<10)}),
		".dagwright.yml:2:7: docs: docs/model.md has 66560 bytes; 65536 at most")
	s.wantRefused(push(map[string]string{".dagwright.yml": model, "docs/model.md": "\xff"}), "is not text in UTF-8")
	s.wantRefused(push(map[string]string{".dagwright.yml": model, "docs/model.md": "a\x1b[2Jb"}), "a character that cannot be shown")
	s.wantRefused(push(map[string]string{".dagwright.yml": "docs: README.md\n", "README.md/x": ""}), ".dagwright.yml:1:7: docs: ")
	s.wantState(push(map[string]string{".dagwright.yml": model, "docs/model.md": "# One\r\n\r\n\n"}), store.PushRendered)
	wantDocs(t, s, "# One\n")
	// Airflow takes a text that ends in ".md" for the path of a file.
	s.wantState(push(map[string]string{".dagwright.yml": model, "docs/model.md": "/etc/passwd.md"}), store.PushRendered)
	wantDocs(t, s, "/etc/passwd.md\n")
	s.wantState(push(map[string]string{".dagwright.yml": model, "docs/model.md": " \n"}), store.PushRendered)
	wantDocs(t, s, "")
}

func wantDocs(t *testing.T, s *site, want string) {
	t.Helper()
	parsed, err := dag.Parse("x.yaml", []byte(s.git(s.dags, "show", "main:dags/gbc/x.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	if got := parsed[0].DocMD; got != want {
		t.Errorf("doc_md %q, want %q", got, want)
	}
}

// TestDocsBelongToTheirModel renders a model of several again when its Markdown file changes,
// and leaves the others.
func TestDocsBelongToTheirModel(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const model = "models:\n  - {name: a, path: a, docs: docs/a.md}\n  - {name: b, path: b}\n"
	files := map[string]string{".dagwright.yml": model, "docs/a.md": "one", "a/main.py": "", "b/main.py": ""}
	s.wantState(s.outcome(s.sendFiles("gbc/x", "main", files)), store.PushRendered)
	files["docs/a.md"] = "two"
	id := s.sendFiles("gbc/x", "main", files)
	s.wantState(s.outcome(id), store.PushRendered)
	if text := s.git(s.dags, "show", "main:dags/gbc/x/a.yaml"); !strings.Contains(text, "two") {
		t.Errorf("the DAG has the former text:\n%s", text)
	}
}

// TestFleetTemplatesKeepWorking renders a template that knows only the fields of old, and does
// not take its faults for the model's.
func TestFleetTemplatesKeepWorking(t *testing.T) {
	t.Parallel()
	inst := offering()
	inst.CheckTask = podspec.Config{Instance: "dev", Namespace: "models", Policy: podspec.Policy{Secrets: []string{}}}.Check
	set := fleetTemplates(t)
	m, err := generator.ParseModel(".dagwright.yml",
		[]byte("image: registry.example.com/a\nsecrets: {A: b/c}\nretries: 7\n"), inst)
	if err != nil {
		t.Fatal(err)
	}
	got, err := generator.Render(request("gbc/x", generator.Scoring), m, set, inst)
	if err != nil {
		t.Fatal(err)
	}
	text := string(got.Content)
	if !strings.Contains(text, `image: "registry.example.com/a"`) || strings.Contains(text, "secrets") {
		t.Errorf("rendered:\n%s", text)
	}
	_, err = generator.Render(request("gbc/fault", generator.Scoring), m, set, inst)
	if err == nil || !strings.Contains(err.Error(), "dags/gbc/fault.yaml:") ||
		strings.Contains(err.Error(), ".dagwright.yml:") {
		t.Errorf("error %v, want one of the rendered file", err)
	}
}

func fleetTemplates(t *testing.T) *templates.Set {
	t.Helper()
	old := `[[ toYaml .DAG ]]:
  schedule: [[ quote .Schedule ]]
  default_args: {owner: [[ toYaml .Owner ]]}
  tags: [[ toYaml .Tags ]]
  tasks:
[[- range .Tasks ]]
    - task_id: [[ toYaml .ID ]]
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: [[ quote $.Image ]]
      cmds: [[ toYaml .Command ]]
      env_vars:
[[- range $.Env ]]
        [[ toYaml .Name ]]: [[ quote .Value ]]
[[- end ]]
      annotations: {dagwright/project: [[ quote $.Project ]], dagwright/ref: [[ quote $.Branch ]], dagwright/commit: [[ quote $.Commit ]]}
[[- end ]]
`
	fault := strings.Replace(old, "      annotations",
		"      secrets: [{deploy_type: env, secret: other}]\n      annotations", 1)
	set, err := templates.Load(fstest.MapFS{
		"default.yaml.tmpl": {Data: []byte(old)}, "fault.yaml.tmpl": {Data: []byte(fault)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}
