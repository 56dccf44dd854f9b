package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"dagwright/usage"
)

// TestSchemas prints each schema, which needs neither an instance nor a file. Files that they
// describe are compared with them beside their readers.
func TestSchemas(t *testing.T) {
	t.Parallel()
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		root := newRootCommand()
		root.SetArgs(args)
		root.SetOut(&out)
		err := root.Execute()
		return out.String(), err
	}
	names := 0
	for _, c := range newSchemaCommand().Commands() {
		names++
		text, err := run("schema", c.Name())
		if err != nil {
			t.Fatal(err)
		}
		var s struct {
			Schema string `json:"$schema"`
			Title  string `json:"title"`
		}
		err = json.Unmarshal([]byte(text), &s)
		if err != nil || !strings.Contains(s.Schema, "draft-07") || s.Title == "" {
			t.Errorf("%s: %+v, %v", c.Name(), s, err)
		}
		if again, _ := run("schema", c.Name()); again != text {
			t.Errorf("%s is not the same twice", c.Name())
		}
	}
	if names < 3 {
		t.Errorf("%d schemas", names)
	}
	if _, err := run("schema", "specs"); err == nil || !strings.Contains(usage.Text(err), `did you mean "spec"`) {
		t.Errorf("an unknown schema: %v", err)
	}
}
