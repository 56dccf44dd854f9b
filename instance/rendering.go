package instance

import (
	"fmt"
	"os"
	"strings"

	"dagwright/generator"
	"dagwright/scheduler"
	"dagwright/templates"
	"dagwright/usage"
)

// LoadTemplates reads the built-in templates and, over them, those of a
// folder.
func LoadTemplates(dir string) (*templates.Set, error) {
	if strings.TrimSpace(dir) == "" {
		return templates.Load(nil)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, usage.New(fmt.Errorf("templates: %s is not a folder", dir))
	}
	set, err := templates.Load(os.DirFS(dir))
	if err != nil {
		return nil, usage.New(fmt.Errorf("templates of %s: %w", dir, err))
	}
	return set, nil
}

// DefaultInstance is what models are rendered with unless a configuration says
// otherwise. A wrong cron expression, and a pod that no instance runs, are refused
// before they are pushed.
func DefaultInstance() generator.Instance {
	instance := generator.DefaultInstance()
	instance.CheckSchedule = scheduler.CheckSchedule
	withChecks(&instance, AnyInstance())
	return instance
}
