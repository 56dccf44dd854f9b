package podspec_test

import (
	"os"
	"testing"

	"dagwright/podspec"
)

// BenchmarkBuild builds the pod of a task as the built-in template writes it.
func BenchmarkBuild(b *testing.B) { benchmark(b, "testdata/scoring.yaml") }

// BenchmarkBuildEverything builds the pod of a task with every argument.
func BenchmarkBuildEverything(b *testing.B) { benchmark(b, "testdata/operator.yaml") }

func benchmark(b *testing.B, file string) {
	source, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	in := inputs(b, file, source)[0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := generous.Build(in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheck checks the same task as Build before it is rendered.
func BenchmarkCheck(b *testing.B) {
	source, err := os.ReadFile("testdata/scoring.yaml")
	if err != nil {
		b.Fatal(err)
	}
	task := inputs(b, "scoring.yaml", source)[0].Task
	c := podspec.Config{Instance: "dev", Namespace: "models"}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Check(task); err != nil {
			b.Fatal(err)
		}
	}
}
