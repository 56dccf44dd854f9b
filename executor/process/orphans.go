package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// processGroups maps a process group to its members.
type processGroups map[int][]int

// scanGroups reads the groups of all processes. Processes that end meanwhile
// are left out.
func scanGroups() (processGroups, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	groups := processGroups{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue
		}
		if group, ok := groupOf(string(stat)); ok {
			groups[group] = append(groups[group], pid)
		}
	}
	return groups, nil
}

// groupOf reads the process group of /proc/PID/stat, see proc_pid_stat(5). The
// program's name stands in parentheses and may hold some itself.
func groupOf(stat string) (int, bool) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, false
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 3 {
		return 0, false
	}
	group, err := strconv.Atoi(fields[2])
	return group, err == nil && group > 1
}

// kill ends a process group whose leader is gone, if one of its members has the
// attempt's log as output: a stranger's group with the same number has not.
func (g processGroups) kill(group int, log *os.File) {
	own, err := log.Stat()
	if err != nil || group <= 1 {
		return
	}
	for _, pid := range g[group] {
		for _, fd := range []string{"1", "2"} {
			output, err := os.Stat("/proc/" + strconv.Itoa(pid) + "/fd/" + fd)
			if err == nil && os.SameFile(own, output) {
				_ = unix.Kill(-group, unix.SIGKILL)
				return
			}
		}
	}
}
