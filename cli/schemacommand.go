package cli

import (
	"bytes"
	"encoding/json"

	"github.com/spf13/cobra"

	"dagwright/dag"
	"dagwright/generator"
	"dagwright/instance"
	"dagwright/podspec"
	"dagwright/shape"
)

func newSchemaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print a JSON Schema of a file, for editors",
		Long: `Print a JSON Schema (draft-07) of a file that people write. An editor with a language
server for YAML completes keys by it, shows what they mean, and underlines what cannot
be read. It takes every file that dagwright takes; what only dagwright can tell, such
as whether there is a time zone, "generate --check", "validate" and "serve" say.

In the file, name the schema in the first line:

  # yaml-language-server: $schema=.dagwright.schema.json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, of := range []struct {
		name, short, file string
		schema            func() shape.Shape
	}{
		{"model", "Print the schema of a model's file, .dagwright.yml", ".dagwright.schema.json", generator.ModelSchema},
		{"config", "Print the schema of an instance's configuration", "dagwright.schema.json",
			instance.ConfigSchema},
		{"spec", "Print the schema of a DAG spec", "spec.schema.json",
			func() shape.Shape { return dag.SpecSchema(podspec.Shapes()) }},
		{"defaults", "Print the schema of a defaults.yml beside DAG specs", "defaults.schema.json",
			func() shape.Shape { return dag.DefaultsSchema(podspec.Shapes()) }},
	} {
		cmd.AddCommand(&cobra.Command{
			Use:     of.name,
			Short:   of.short,
			Example: "  dagwright schema " + of.name + " > " + of.file,
			Args:    noArguments,
			RunE: func(cmd *cobra.Command, _ []string) error {
				var text bytes.Buffer
				e := json.NewEncoder(&text)
				e.SetEscapeHTML(false)
				e.SetIndent("", "  ")
				if err := e.Encode(of.schema()); err != nil {
					return err
				}
				_, err := cmd.OutOrStdout().Write(text.Bytes())
				return err
			},
		})
	}
	return cmd
}
