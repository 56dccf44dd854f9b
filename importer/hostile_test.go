package importer_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dagwright/importer"
)

// good is a file that must be carried over whatever stands beside it.
const good = `from airflow import DAG
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
with DAG("good", schedule=None):
    KubernetesPodOperator(task_id="t", image="i:1")
`

// TestHostileFiles imports files that are made to break a reader, each of which must be
// refused with a reason while the good one beside them is carried over.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	deep := func(n int, open, shut string) string {
		return "x = " + strings.Repeat(open, n) + strings.Repeat(shut, n) + "\n"
	}
	for _, tt := range []struct{ name, source, want string }{
		{"nul", "x = 1\x00\n", "it has NUL bytes"},
		{"large", strings.Repeat("#", 2<<20), "1048576 at most are read"},
		{"brackets", deep(5000, "[", "]"), "not"},
		{"sum", "x = " + strings.Repeat("1+", 50_000) + "1\n", "not"},
		{"negative", "x = " + strings.Repeat("-", 20_000) + "1\n", "not"},
		{"attributes", "x = a" + strings.Repeat(".a", 50_000) + "\n", "not"},
		{"endless", "while True:\n    x = 1\n", "steps to evaluate"},
		{"recursion", "def f(n):\n    return f(n + 1)\nx = f(0)\n", "call each other more than 60 deep"},
		{"lambda", "f = lambda f: f(f)\nf(f)\n", "not"},
		{"text", "x = 'a' * 10 ** 9\n", "larger than"},
		{"doubling", "x = ['a']\n" + strings.Repeat("x = x + x\n", 100), "larger than"},
		{"nested lists", "x = []\n" + strings.Repeat("x = [x, x]\n", 200) + good +
			"KubernetesPodOperator(task_id='u', image='i', arguments=x, dag=DAG('bad'))\n", "not carried over"},
		{"itself", good + "x = []\nx.append(x)\nKubernetesPodOperator(task_id='u', image='i', arguments=x, dag=DAG('bad'))\n",
			"nested deeper than 60"},
		{"power", "x = 9 ** 9 ** 9\n", "more than 4096 bits"},
		{"shift", "x = 1 << 10 ** 10\n", "more than 4096 bits"},
		{"format", "x = '%1000000000d' % 1\n", "wider than 999"},
		{"fstring", "x = f'{1:1000000000}'\n", "wider than 999"},
		{"replace", "x = ('a' * 200000).replace('', 'b' * 200000)\n", "larger than"},
		{"range", "x = list(range(10 ** 12))\n", "larger than"},
		{"product", "import itertools\nx = itertools.product(range(9999), range(9999))\n", "larger than"},
		{"many tasks", good + "for i in range(9999):\n    KubernetesPodOperator(task_id=str(i), image='i')\n", "more than 5000"},
		{"many edges", good + "from airflow import DAG\nwith DAG('e'):\n    a = [KubernetesPodOperator(task_id=str(i), image='i')" +
			" for i in range(400)]\n    b = [KubernetesPodOperator(task_id='b' + str(i), image='i') for i in range(400)]\n    a >> b\n",
			"more than 50000 dependencies"},
		{"no text", "x = '\xff\xfe'\n", "not Python 3"},
		{"codec", "# coding: nonsense\nx = 1\n", "not Python 3"},
		{"tabs", "if 1:\n\tx = 1\n        y = 2\n", "not Python 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := t.TempDir()
			writeFile(t, filepath.Join(in, "bad.py"), "# airflow dag\n"+strings.ReplaceAll(tt.source, `DAG("good"`, `DAG("bad"`))
			writeFile(t, filepath.Join(in, "good.py"), good)
			r := importSpecs(t, in)
			if !strings.Contains(linesOf(r, "bad.py"), tt.want) {
				t.Errorf("lines %s, want %q", linesOf(r, "bad.py"), tt.want)
			}
			if len(r.Written) != 1 || r.Written[0].Path != "good.yaml" {
				t.Errorf("written %v, want good.yaml alone", r.Written)
			}
		})
	}
}

// TestNothingIsRun wants no act of a file to happen.
func TestNothingIsRun(t *testing.T) {
	t.Parallel()
	in := t.TempDir()
	trace := filepath.Join(in, "trace")
	writeFile(t, filepath.Join(in, "acts.py"), `
import os, subprocess, pathlib
open("`+trace+`", "w").write("x")
os.system("touch `+trace+`")
subprocess.run(["touch", "`+trace+`"])
pathlib.Path("`+trace+`").touch()
eval("open('`+trace+`', 'w')")
exec("open('`+trace+`', 'w')")
__import__("os").system("touch `+trace+`")
"{0.__class__.__mro__}".format(1)
getattr(str, "__class__")
class A:
    def __init_subclass__(cls): os.system("touch `+trace+`")
class B(A): pass
`+good)
	writeFile(t, filepath.Join(in, "json.py"), "import os\nos.system('touch "+trace+"')\n")
	writeFile(t, filepath.Join(in, "sitecustomize.py"), "import os\nos.system('touch "+trace+"')\n")
	r := importSpecs(t, in)
	if r.DAGs() != 1 {
		t.Errorf("lines: %v", r.Lines)
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("a statement of the file was run")
	}
}

// TestLinksAreNotFollowed wants neither a link nor a pipe to be read, also
// as a module.
func TestLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	in, elsewhere := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(elsewhere, "secret.py"), "IMAGE = 'secret:1'\n")
	writeFile(t, filepath.Join(in, "good.py"), strings.ReplaceAll(good, `"i:1"`, `IMAGE`)+"\n")
	writeFile(t, filepath.Join(in, "user.py"), "from linked import IMAGE\nfrom folder.secret import IMAGE as B\nimport pipe\n"+
		"from ..secret import IMAGE as C\n"+strings.NewReplacer(`"good"`, `"user"`, `"i:1"`, `IMAGE`).Replace(good))
	for link, to := range map[string]string{"linked.py": filepath.Join(elsewhere, "secret.py"), "folder": elsewhere} {
		if err := os.Symlink(to, filepath.Join(in, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(in, "pipe.py"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	r, err := newImporter().Specs(t.Context(), []string{in}, out)
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"it is a symbolic link", "it is not a plain file"} {
		if !strings.Contains(linesOf(r, ""), words) {
			t.Errorf("no line says %q: %v", words, r.Lines)
		}
	}
	if text, _ := os.ReadFile(filepath.Join(out, "user.yaml")); strings.Contains(string(text), "secret:1") {
		t.Errorf("a link was followed: %s", text)
	}
}

// TestFilesOfOthersStay wants a file that no import wrote to stay, and one of an import to
// be replaced.
func TestFilesOfOthersStay(t *testing.T) {
	t.Parallel()
	in, out := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(in, "good.py"), good)
	writeFile(t, filepath.Join(out, "good.yaml"), "by: hand\n")
	for i, want := range []string{"by: hand\n", ""} {
		r, err := newImporter().Specs(t.Context(), []string{in}, out)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(out, "good.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if refused := r.Left() == 1; refused != (i == 0) || want != "" && string(text) != want {
			t.Errorf("import %d: lines %v, file %s", i, r.Lines, text)
		}
		writeFile(t, filepath.Join(out, "good.yaml"), "# Imported by dagwright from an older file.\n")
	}
}

// TestNoPython wants words for a machine without Python.
func TestNoPython(t *testing.T) {
	t.Parallel()
	im := newImporter()
	im.Python = "no-such-python3"
	_, err := im.Specs(context.Background(), []string{t.TempDir()}, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "python3 is not installed; reading DAG files needs Python 3.9 or later") {
		t.Errorf("error %v", err)
	}
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func importSpecs(t *testing.T, in string) importer.Report {
	t.Helper()
	r, err := newImporter().Specs(t.Context(), []string{in}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// linesOf joins the lines about files of a name.
func linesOf(r importer.Report, name string) string {
	var b strings.Builder
	for _, l := range r.Lines {
		if strings.HasSuffix(l.File, name) {
			b.WriteString(l.String() + "\n")
		}
	}
	return b.String()
}
