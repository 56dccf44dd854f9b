package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"dagwright/dag"
)

// secretReader reads files that hold one secret each, and keeps the first
// error. It never prints what it read.
type secretReader struct {
	all []string // what was read
	err error
}

func (r *secretReader) read(file string) dag.Secret {
	if file == "" || r.err != nil {
		return dag.Secret{}
	}
	content, err := os.ReadFile(file)
	if err != nil {
		r.err = fmt.Errorf("read secret: %w", err)
		return dag.Secret{}
	}
	secret := strings.TrimSpace(string(content))
	if secret == "" {
		r.err = fmt.Errorf("read secret: %s is empty", file)
	}
	r.all = append(r.all, secret)
	return dag.NewSecret(secret)
}

// masked are the values that no task log shows: what was read so far, the database's
// password, the credentials of the logs' bucket, and what stands in files, or in all
// files of folders such as a mounted Secret.
func (r *secretReader) masked(dsn string, files []string) []string {
	for _, file := range files {
		r.readAll(file)
	}
	values := append([]string(nil), r.all...)
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		values = append(values, os.Getenv(name))
	}
	if u, err := url.Parse(dsn); err == nil {
		password, _ := u.User.Password()
		values = append(values, password)
	}
	return values
}

// readAll reads a file, or the files of a folder. Names that begin with a dot are
// how Kubernetes swaps the files of a Secret, and hold the same again.
func (r *secretReader) readAll(path string) {
	entries, err := os.ReadDir(path)
	if err != nil {
		r.read(path)
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			r.read(filepath.Join(path, e.Name()))
		}
	}
}
