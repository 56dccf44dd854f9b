package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	sqlitecode "modernc.org/sqlite/lib"
)

// fileFault says in words why SQLite cannot use a file, with a colon behind it; empty
// when nothing is wrong that can be seen. code is SQLite's primary result code.
func fileFault(file string, code int) string {
	if code == sqlitecode.SQLITE_NOTADB {
		return "it is a file of another kind, and is left as it is; name another file: "
	}
	if code == sqlitecode.SQLITE_FULL {
		return "the disk has no room left: "
	}
	folder := filepath.Dir(file)
	if fault := folderFault(folder); fault != "" {
		return fault + ": "
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ""
	case err != nil:
		return err.Error() + ": "
	case info.IsDir():
		return "it is a folder; name a file: "
	case unix.Access(file, unix.R_OK|unix.W_OK) != nil:
		return fmt.Sprintf("user %d may not read and write it (mode %s): ", os.Geteuid(), info.Mode().Perm())
	}
	return ""
}

// folderFault says why no file can be made in a folder; empty when nothing is seen.
// SQLite keeps two more files beside the database.
func folderFault(folder string) string {
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("the folder %s does not exist; make it, or name a file in another one", folder)
	case err != nil:
		return err.Error()
	case !info.IsDir():
		return folder + " is not a folder"
	}
	switch err := unix.Access(folder, unix.W_OK|unix.X_OK); {
	case errors.Is(err, unix.EROFS):
		return fmt.Sprintf("the file system of %s is read-only", folder)
	case err != nil:
		return fmt.Sprintf("user %d may not make files in the folder %s (mode %s)", os.Geteuid(), folder, info.Mode().Perm())
	}
	return ""
}
