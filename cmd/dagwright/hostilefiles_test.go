package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dagwright/dev"
)

// memoryLimit is what the server may take at most, whatever is pushed to it.
const memoryLimit = 512 << 20

// The bombs are small files that grow when they are read, and large files.
func nested() []byte { return bytes.Repeat([]byte("["), 1_000_000) }

// aliases is a chain of aliases that stands for 10^12 values.
func aliases() []byte {
	var b bytes.Buffer
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	return b.Bytes()
}

// large is 50 MB of YAML that does not compress well.
func large() []byte {
	random := rand.NewChaCha8([32]byte{})
	raw := make([]byte, 50)
	var b bytes.Buffer
	for b.Len() < 50_000_000 {
		_, _ = random.Read(raw) // never fails
		fmt.Fprintf(&b, "# %s\n", hex.EncodeToString(raw))
	}
	return b.Bytes()
}

func many() []byte { return bytes.Repeat([]byte("a: 1\n"), 50_000) }

const hello = `hello:
  schedule: none
  tasks:
    - task_id: greet
      operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
      image: registry.example.com/hello:1
      cmds: [sh, -c]
      arguments: ['echo hello']
`

// TestHostileSpecs pushes bombs, large files, links and submodules to the DAG
// repository, all with a good file beside them.
func TestHostileSpecs(t *testing.T) {
	t.Parallel()
	d := startDevProcess(t)
	clone := d.clone(t, dev.DAGRepository)
	write(t, filepath.Join(clone, "nested.yaml"), nested())
	write(t, filepath.Join(clone, "aliases.yaml"), aliases())
	write(t, filepath.Join(clone, "large.yaml"), large())
	write(t, filepath.Join(clone, "many.yaml"), many())
	write(t, filepath.Join(clone, "bytes.yaml"), []byte("a: \xff\xfe\x00"))
	if err := os.Symlink("/etc/passwd", filepath.Join(clone, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(clone, "linked")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(clone, "hello.yaml"), []byte(hello))
	d.git(t, clone, "add", "--all")
	d.git(t, clone, "update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",module.yaml")
	d.git(t, clone, "commit", "--quiet", "--message", "Add all kinds of files")
	d.git(t, clone, "push", "--quiet", "origin", "HEAD:main")

	d.await(t, `"dag_id": ?"hello"`, "/api/v2/dags")
	_, page := d.get(t, "/import-errors")
	for file, reason := range map[string]string{
		"nested.yaml":  `nested deeper than 32 levels`,
		"aliases.yaml": `more than \d+ values`,
		"large.yaml":   `has 50\d{6} bytes`,
		"many.yaml":    `twice`,
		"bytes.yaml":   `YAML|UTF-8|character`,
		"link.yaml":    `symbolic link`,
		"module.yaml":  `submodule`,
	} {
		if !regexp.MustCompile(regexp.QuoteMeta(file) + `[\s\S]{0,300}(` + reason + `)`).MatchString(page) {
			t.Errorf("%s is not explained by %q", file, reason)
		}
	}
	if strings.Contains(page, "root:") {
		t.Error("the link was followed")
	}
	if t.Failed() {
		t.Log(page[:min(len(page), 8000)])
	}
	d.runToEnd(t, "hello", `{"logical_date": null, "unpause": true}`, "success")
	d.runToEnd(t, "churn-model", `{"logical_date": null, "unpause": true}`, "success")
	d.wantMemory(t)
}

// TestHostileModelFiles pushes the like as .dagwright.yml.
func TestHostileModelFiles(t *testing.T) {
	t.Parallel()
	d := startDevProcess(t)
	clone := d.clone(t, "models/churn-model.git")
	file := filepath.Join(clone, ".dagwright.yml")
	for _, c := range []struct {
		name    string
		content []byte
		reason  string
	}{
		{"Nest", nested(), `bytes`},
		{"Nest within the limit", nested()[:200_000], `yml:1: nested deeper than 16 levels`},
		{"Chain aliases", aliases(), `more than 10000 values, with aliases`},
		{"Grow", large(), `bytes`},
		{"Repeat", many(), `twice`},
		{"Mix bytes", []byte("a: \xff\xfe\x00"), `YAML|UTF-8|character`},
	} {
		write(t, file, c.content)
		d.push(t, clone, c.name)
		d.await(t, `<div class="reason">[^<]*(`+c.reason+`)[^<]*</div></td>\s*<td data-label="Commit">.* `+c.name+`</td>`,
			"/models")
	}
	write(t, file, []byte("owner: healed\n"))
	d.push(t, clone, "Heal")
	d.await(t, "healed", "/api/v2/dags/churn-model")
	// The run's checkout fetches the history, with the large file in it.
	d.runToEnd(t, "churn-model", `{"logical_date": null, "unpause": true}`, "success")
	d.wantMemory(t)
}

func (d *devProcess) wantMemory(t *testing.T) {
	t.Helper()
	peak := d.peakRSS(t)
	t.Logf("peak RSS: %d MiB", peak>>20)
	if peak > memoryLimit {
		t.Errorf("the server took %d MiB, %d are allowed", peak>>20, memoryLimit>>20)
	}
}

var runIDPattern = regexp.MustCompile(`"dag_run_id": ?"([^"]+)"`)

// runToEnd triggers a run and waits for it to end in a state. It returns the
// run's id.
func (d *devProcess) runToEnd(t *testing.T, id, body, state string) string {
	t.Helper()
	status, answer := d.trigger(t, id, body)
	m := runIDPattern.FindStringSubmatch(answer)
	if status != 200 || m == nil {
		t.Fatalf("trigger %s: %d %s", id, status, answer)
	}
	got := d.await(t, `"state": ?"(success|failed)"`, "/api/v2/dags/"+id+"/dagRuns/"+m[1])
	if !regexp.MustCompile(`"state": ?"` + state + `"`).MatchString(got) {
		t.Errorf("run of %s: %s, want %s", id, got, state)
	}
	return m[1]
}
