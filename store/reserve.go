package store

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// reserveEvery is how often a reserve that was used is filled up.
const reserveEvery = 10 * time.Second

// reserve keeps blocks of the disk allocated behind the ends of SQLite's files,
// for them alone: on a disk that others have filled up, dagwright can still write
// down what is decided, such as a cancellation.
//
// The files stay open until SQLite has closed them: closing any descriptor of
// a file gives up all locks that this process has on it (fcntl(2)).
type reserve struct {
	parts []reservePart
	log   *slog.Logger
	short bool // the last time there was no room for it
	stop  context.CancelFunc
	done  sync.WaitGroup
}

type reservePart struct {
	file *os.File
	size int64 // behind its end
}

// maxShared bounds the reserve of the WAL's index, of which 32 KiB serve 16 MiB
// of WAL.
const maxShared = 1 << 20

// openReserve keeps size bytes each for the database and its WAL.
func openReserve(path string, size int64, log *slog.Logger) (*reserve, error) {
	r := &reserve{log: log}
	for _, part := range []struct {
		end  string
		size int64
	}{{"", size}, {"-wal", size}, {"-shm", min(size, maxShared)}} {
		f, err := os.OpenFile(path+part.end, os.O_RDWR, 0)
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		r.parts = append(r.parts, reservePart{f, part.size})
	}
	r.fill()
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	r.done.Go(func() { r.run(ctx) })
	return r, nil
}

func (r *reserve) run(ctx context.Context) {
	tick := time.NewTicker(reserveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.fill()
		}
	}
}

// fill allocates what is missing.
func (r *reserve) fill() {
	var err error
	for _, p := range r.parts {
		err = errors.Join(err, p.fill())
	}
	if short := err != nil; short != r.short {
		r.short = short
		if short {
			r.log.Warn("no room is kept for the database on its disk", "err", err)
		} else {
			r.log.Info("room is kept for the database on its disk again")
		}
	}
}

func (p reservePart) fill() error {
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(p.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, info.Size(), p.size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil // such a file system keeps nothing
	}
	return err
}

// close is called after SQLite has closed its files.
func (r *reserve) close() error {
	if r == nil {
		return nil
	}
	if r.stop != nil {
		r.stop()
		r.done.Wait()
	}
	var err error
	for _, p := range r.parts {
		err = errors.Join(err, p.file.Close())
	}
	return err
}
