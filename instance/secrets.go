package instance

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"dagwright/dag"
)

// Secrets reads files that hold one secret each, and keeps the first
// error. It never prints what it read.
type Secrets struct {
	all []string // what was read
	Err error    // the first one
}

// Read reads a file that holds one secret; no file has none. Its error is Err.
func (r *Secrets) Read(file string) dag.Secret {
	if file == "" || r.Err != nil {
		return dag.Secret{}
	}
	content, err := os.ReadFile(file)
	if err != nil {
		r.Err = fmt.Errorf("read secret: %w", err)
		return dag.Secret{}
	}
	secret := strings.TrimSpace(string(content))
	if secret == "" {
		r.Err = fmt.Errorf("read secret: %s is empty", file)
	}
	r.all = append(r.all, secret)
	return dag.NewSecret(secret)
}

// masked are the values that no task log shows: what was read so far, the database's
// password, the credentials of the logs' bucket, and what stands in files, or in all
// files of folders such as a mounted Secret.
func (r *Secrets) masked(dsn string, files []string) []string {
	for _, file := range files {
		for _, name := range secretFiles(file) {
			r.Read(name)
		}
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

// secretFiles are the files of a folder such as a mounted Secret, or the path itself when
// it cannot be listed. Names that begin with a dot are how Kubernetes swaps
// the files of a Secret, and hold the same again.
func secretFiles(path string) []string {
	entries, err := os.ReadDir(path)
	if err != nil {
		return []string{path}
	}
	var files []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return files
}
