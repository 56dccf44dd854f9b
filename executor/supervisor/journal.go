package supervisor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	journalName = "journal"
	// compactFrom is the size in bytes from which a journal is written again when
	// most of it is about what was forgotten.
	compactFrom = 1 << 20
)

// entry is one line of the journal.
type entry struct {
	Op       string          `json:"op"`
	ID       string          `json:"id"`
	Note     json.RawMessage `json:"note,omitempty"`
	Tag      uint64          `json:"tag,omitempty"`
	PID      int             `json:"pid,omitempty"`
	Deadline time.Time       `json:"deadline,omitzero"`
	End      *End            `json:"end,omitempty"`
}

// The operations that are not requests.
const (
	opRun = "run"
	opEnd = "end"
)

// journal is the file. Its callers hold the supervisor's mutex.
type journal struct {
	dir  string
	file *os.File
	size int64 // of whole lines
}

// openJournal opens the journal, making it if need be, and calls replay with
// each entry. What is not understood, such as a line that was cut short, is
// passed over.
func openJournal(dir string, replay func(entry)) (*journal, error) {
	f, err := os.OpenFile(filepath.Join(dir, journalName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &journal{dir: dir, file: f}
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return j, nil
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read journal: %w", err), f.Close())
		}
		j.size += int64(len(line))
		var e entry
		if json.Unmarshal(bytes.TrimSpace(line), &e) == nil && e.ID != "" {
			replay(e)
		}
	}
}

// append writes entries. When it fails, as on a full disk, nothing of them is
// left: the next line overwrites what was written.
func (j *journal) append(entries ...entry) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, e := range entries {
		if err := enc.Encode(e); err != nil {
			return fmt.Errorf("encode journal: %w", err)
		}
	}
	if _, err := j.file.WriteAt(b.Bytes(), j.size); err != nil {
		_ = j.file.Truncate(j.size)
		return fmt.Errorf("write journal: %w", err)
	}
	j.size += int64(b.Len())
	return nil
}

// rewrite makes a journal of these entries alone.
func (j *journal) rewrite(entries []entry) error {
	if len(entries) == 0 {
		if err := j.file.Truncate(0); err != nil {
			return fmt.Errorf("empty journal: %w", err)
		}
		j.size = 0
		return nil
	}
	name := filepath.Join(j.dir, journalName)
	f, err := os.OpenFile(name+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write journal again: %w", err)
	}
	fresh := &journal{dir: j.dir, file: f}
	err = fresh.append(entries...)
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	err = j.file.Close()
	*j = *fresh
	return err
}
