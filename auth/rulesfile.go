package auth

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// RulesFile is a rule file that is read again when it has changed. It is safe for
// concurrent use.
type RulesFile struct {
	name   string
	logger *slog.Logger

	mu      sync.Mutex
	rules   Rules
	state   fileState
	checked time.Time
}

// fileState tells one writing of a file from another.
type fileState struct {
	changed time.Time
	size    int64
}

// rulesAge is for how long a change of the file may go unnoticed.
const rulesAge = 5 * time.Second

// OpenRules reads a rule file. A broken file is an error now; later the previous rules
// stay in force and the fault is logged.
func OpenRules(name string, logger *slog.Logger) (*RulesFile, error) {
	f := &RulesFile{name: name, logger: logger}
	state, err := stateOf(name)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	f.state, f.checked = state, time.Now()
	f.rules, err = readRules(name)
	return f, err
}

// FixedRules never change.
func FixedRules(rules Rules) *RulesFile { return &RulesFile{rules: rules} }

func stateOf(name string) (fileState, error) {
	info, err := os.Stat(name) // follows links: a ConfigMap is changed by one
	if err != nil {
		return fileState{}, err
	}
	return fileState{info.ModTime(), info.Size()}, nil
}

func readRules(name string) (Rules, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return ParseRules(name, text)
}

// Rules are those in force.
func (f *RulesFile) Rules() Rules {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.name == "" || time.Since(f.checked) < rulesAge {
		return f.rules
	}
	f.checked = time.Now()
	state, err := stateOf(f.name)
	if err == nil && state == f.state {
		return f.rules
	}
	var rules Rules
	if err == nil {
		f.state = state
		rules, err = readRules(f.name)
	}
	if err != nil {
		f.logger.Error("rules are broken; the ones before stay in force", "err", err)
		return f.rules
	}
	f.logger.Info("rules were read again")
	f.rules = rules
	return f.rules
}
