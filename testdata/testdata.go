// Package testdata holds the example model repositories that "dagwright dev"
// starts with and that the tests use. The other files here are read by tests
// only.
package testdata

import (
	"embed"
	"io/fs"
)

//go:embed all:models
var models embed.FS

// Models returns the example model repositories, a folder each.
func Models() fs.FS {
	sub, err := fs.Sub(models, "models")
	if err != nil {
		panic(err) // cannot happen: the name is a valid path
	}
	return sub
}
