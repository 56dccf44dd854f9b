package podspec_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestAirflow compares pods with those that Airflow itself makes of the same
// specs (testdata/airflow/pods.py). testdata/airflow/differences.txt holds every
// difference; ADR 23 says why they are there.
func TestAirflow(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/airflow/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pods of Airflow's in testdata/airflow: %v", err)
	}
	specs := map[string][]string{} // by difference
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		source, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		in := inputs(t, name+".yaml", source)[0]
		in.Env = in.Task.Env // Airflow has neither conf nor context there
		pod, err := generous.Build(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range differences(t, text, pod) {
			specs[d] = append(specs[d], name)
		}
	}
	var out strings.Builder
	for _, d := range slices.Sorted(maps.Keys(specs)) {
		where := strings.Join(specs[d], " ")
		if len(specs[d]) == len(files) {
			where = "all"
		}
		fmt.Fprintf(&out, "%s\n\t(%s)\n", d, where)
	}
	golden(t, "testdata/airflow/differences.txt", out.String())
}

// differences lists what is not the same in two pods, empty values apart.
func differences(t *testing.T, airflow []byte, pod *corev1.Pod) []string {
	t.Helper()
	own, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours := leaves(t, airflow), leaves(t, own)
	all := maps.Clone(theirs)
	maps.Copy(all, ours)
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if theirs[path] != ours[path] {
			lines = append(lines,
				fmt.Sprintf("%s: Airflow %s, dagwright %s", path, orNothing(theirs[path]), orNothing(ours[path])))
		}
	}
	return lines
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// leaves maps the paths of a JSON text's values to the values. Elements of lists
// are known by their names where they have some; of several with one name the
// last one counts.
func leaves(t *testing.T, text []byte) map[string]string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	walk(out, "", v)
	return out
}

func walk(out map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, item := range v {
			walk(out, strings.TrimPrefix(path+"."+name, "."), item)
		}
	case []any:
		for i, item := range v {
			index := fmt.Sprint(i)
			if m, ok := item.(map[string]any); ok && m["name"] != nil {
				index = fmt.Sprint(m["name"])
			}
			walk(out, path+"["+index+"]", item)
		}
	case nil:
	default:
		if text := fmt.Sprint(v); text != "" && text != "false" {
			out[path] = text
		}
	}
}
