package gitrepo_test

import (
	"fmt"
	"testing"

	"dagwright/gitrepo"
)

// sharded is a remote with 10,000 spec-sized files in 256 folders.
func sharded(b *testing.B) string {
	b.Helper()
	remote := newBare(b)
	changes := make([]gitrepo.Change, 10_000)
	for i := range changes {
		changes[i] = set(fmt.Sprintf("dags/%02x/model-%05d.yaml", i%256, i), fmt.Sprintf("model-%05d:\n%01900d\n", i, i))
	}
	mustPush(b, open(b, remote), change(changes...))
	return remote
}

func BenchmarkPushOneFile(b *testing.B) {
	for name, remote := range map[string]func() string{"empty": func() string { return newBare(b) },
		"10000": func() string { return sharded(b) }} {
		b.Run(name, func(b *testing.B) {
			r := open(b, remote())
			mustFetch(b, r)
			n := 0
			for b.Loop() {
				n++
				mustPush(b, r, change(set("dags/07/model.yaml", fmt.Sprint(n))))
			}
		})
	}
}

// BenchmarkSync is what the scheduler does after each push of another clone.
func BenchmarkSync(b *testing.B) {
	remote := sharded(b)
	writer, reader := open(b, remote), open(b, remote)
	mustFetch(b, writer)
	if _, err := reader.Files(mustFetch(b, reader), ""); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		mustPush(b, writer, change(set("dags/07/model.yaml", fmt.Sprint(n))))
		b.StartTimer()
		head := mustFetch(b, reader)
		if files, err := reader.Files(head, ""); err != nil || len(files) != 10_001 {
			b.Fatalf("%d files, %v", len(files), err)
		}
	}
}

func BenchmarkFirstFetchAndListing(b *testing.B) {
	remote := sharded(b)
	b.ResetTimer()
	for b.Loop() {
		r := open(b, remote)
		if _, err := r.Files(mustFetch(b, r), ""); err != nil {
			b.Fatal(err)
		}
	}
}
