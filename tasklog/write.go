package tasklog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"dagwright/dag"
)

// File opens the log of an attempt for appending, making it if need be. What a
// task writes goes through Append, which keeps to the limits. The caller closes
// it. What is written by one Write call is never interleaved
// with another's (O_APPEND). It never waits for the bucket. The error is
// dag.ErrConflict when the log is sealed.
func (d *Dir) File(key dag.AttemptKey) (*os.File, error) {
	name, err := d.writable(key)
	if err != nil {
		return nil, err
	}
	f, err := d.spool.create(name)
	if errors.Is(err, fs.ErrPermission) && d.spool.isSealed(name) {
		return nil, errSealed()
	}
	if err != nil {
		return nil, fmt.Errorf("open task log: %w", err)
	}
	// A privileged user may open a sealed file, so the mode is asked for.
	info, err := f.Stat()
	if err == nil && (sealed(info) || info.Size() == 0 && d.undoUploaded(name)) {
		err = errSealed()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	d.spool.usage.opened(name)
	if d.shipper != nil {
		d.shipper.add(name, true)
	}
	return f, nil
}

// Append opens the log of an attempt as File does, to be written within Limits.
func (d *Dir) Append(key dag.AttemptKey) (*Appender, error) {
	f, err := d.File(key)
	if err != nil {
		return nil, err
	}
	a, err := d.limits.Append(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return a, nil
}

func errSealed() error { return fmt.Errorf("task log is sealed: %w", dag.ErrConflict) }

// undoUploaded removes the file that was just made where a log has gone to the
// bucket, and says whether it did. The mark is looked for after the file was
// made: it comes before a file goes, so it cannot be missed.
func (d *Dir) undoUploaded(name string) bool {
	if d.bucket == nil || !d.spool.isUploaded(name) {
		return false
	}
	if err := d.spool.remove(name); err != nil {
		d.config.Logger.Error("remove task log", "log", name, "err", err)
	}
	return true
}

// Seal marks the log as complete: followers end when they have read it all.
// Sealing again is not an error, and a log that was never written becomes an empty
// sealed one. It never waits for the bucket, to which the log goes afterwards.
func (d *Dir) Seal(key dag.AttemptKey) error {
	name, err := d.writable(key)
	if err != nil {
		return err
	}
	if err := d.seal(name); err != nil {
		return fmt.Errorf("seal task log: %w", err)
	}
	return nil
}

func (d *Dir) seal(name string) error {
	err := d.spool.seal(name)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.spool.create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if d.undoUploaded(name) {
		return nil
	}
	if d.shipper != nil {
		d.shipper.add(name, true)
	}
	return f.Chmod(sealedMode)
}

// Remove deletes every log of a run, sealed or not. A run without logs is not
// an error; whoever follows one of them gets dag.ErrNotFound. When the bucket fails
// some of the logs may be left, and Remove is to be called again.
func (d *Dir) Remove(id dag.ID, run dag.RunID) error {
	if d.config.ReadOnly {
		return errReadOnly()
	}
	name, err := runDir(id, run)
	if err != nil {
		return err
	}
	// The spool comes first: the shipper takes back what it has uploaded when
	// it finds the file gone.
	if err := d.spool.removeRun(name); err != nil {
		return fmt.Errorf("remove task logs: %w", err)
	}
	if d.bucket == nil {
		return nil
	}
	for _, prefix := range []string{name + "/", growing + name + "/"} {
		if err := d.removeObjects(prefix); err != nil {
			return fmt.Errorf("remove task logs: %w", err)
		}
	}
	return nil
}

func (d *Dir) removeObjects(prefix string) error {
	return d.bucket.list(d.ctx, prefix, func(o object) error {
		ctx, cancel := context.WithTimeout(d.ctx, askTimeout)
		defer cancel()
		return d.bucket.remove(ctx, o.key)
	})
}

// writable is the name of a log that this process may write.
func (d *Dir) writable(key dag.AttemptKey) (string, error) {
	if d.config.ReadOnly {
		return "", errReadOnly()
	}
	return logName(key)
}

func errReadOnly() error {
	return fmt.Errorf("task logs are only read by this process: %w", dag.ErrInvalid)
}
