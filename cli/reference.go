package cli

import (
	"fmt"
	"io"
	"strings"

	"dagwright/version"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// newManCommand writes man pages, for packages of a distribution. It is hidden:
// people have --help and docs/cli.md.
func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write a man page for each command",
		Hidden: true,
		Args:   exactArguments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			header := &doc.GenManHeader{Title: "DAGWRIGHT", Section: "1", Source: "dagwright " + version.String(),
				Manual: "dagwright"}
			if err := doc.GenManTree(cmd.Root(), header, args[0]); err != nil {
				return fmt.Errorf("write man pages: %w", err)
			}
			return nil
		},
	}
}

// referenceHead begins docs/cli.md.
const referenceHead = `# The command line

<!-- Written from the commands themselves by "make golden"; edit package cli instead. -->

One program is the server and its client. This is every command, as ` + "`--help`" + ` says it.

## A server and you

Name the servers that you use, sign in, and go on:

` + "```sh" + `
dagwright context add dev https://dagwright-dev.example.com
dagwright context add prod https://dagwright.example.com --production
dagwright login                    # to the current context, dev
dagwright login --context prod
dagwright dags list
` + "```" + `

A command talks to the server of ` + "`--server` or `--context`, else of `DAGWRIGHT_SERVER` or `DAGWRIGHT_CONTEXT`" + `,
else of the current context, else to ` + "`http://127.0.0.1:8080`, where `dagwright dev`" + ` listens.
Commands that change or end what runs in a production context ask for confirmation, on a terminal.

| file or variable | what it holds |
|---|---|
| ` + "`dagwright/config.yml`" + ` | the contexts |
| ` + "`dagwright/credentials.yml`" + ` | tokens, readable by you only; each goes to its own server and to no other |
| ` + "`DAGWRIGHT_TOKEN_FILE`, `DAGWRIGHT_TOKEN`" + ` | a token for scripts; takes precedence over what ` + "`login`" +
	` has kept |
| ` + "`SSL_CERT_FILE`" + ` | further certificate authorities, as in every Go program |

Both files are in the folder of your settings: ` + "`$XDG_CONFIG_HOME` or `~/.config`" + `. A token is
never an argument, where others on the machine could read it.

## Output

A table shows how long ago things were on a terminal, and the exact time elsewhere;
on a terminal it is fitted to the width, and coloured unless ` + "`NO_COLOR`" + ` is set. What
scripts read is ` + "`--output json` or `yaml`" + `: the API's own answer. Messages go to standard error.

| exit code | meaning |
|---|---|
| 0 | done; the run succeeded |
| 1 | the work failed; the run failed, or its result is unknown |
| 2 | wrong use of the command line |
| 3 | interrupted, or ` + "`--timeout`" + ` is over; what was waited for goes on |

## Completion

` + "```sh" + `
source <(dagwright completion bash)                       # zsh, fish, powershell alike
dagwright completion bash > /etc/bash_completion.d/dagwright
` + "```" + `

Tab knows commands, flags and contexts, and asks the server for DAGs, runs and tasks.

## What Airflow has and dagwright does not

There is no ` + "`dags test` and no `tasks test`" + `. In Airflow they run a DAG's Python in the
process of the command. A task here is a container of its own image: what runs on a
workstation without image, service account and namespace would be something else.
Instead, ` + "`dagwright validate`" + ` and ` + "`generate --check`" + ` find what is wrong with a spec or a
model's file, ` + "`dagwright dev`" + ` runs a model's commands as local processes, and
` + "`dagwright dags trigger DAG --conf … --wait`" + ` with ` + "`dagwright logs -f`" + ` runs it where it belongs.
`

// writeReference writes docs/cli.md: every command that --help shows, except help and
// completion, which its head describes.
func writeReference(w io.Writer, root *cobra.Command) error {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, g := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(g.Title, ":"))
		for _, c := range root.Commands() {
			if c.GroupID == g.ID {
				describeCommand(&b, c)
			}
		}
	}
	b.WriteString("\n## The program itself\n")
	for _, c := range root.Commands() {
		if c.GroupID == "" && c.Name() != "help" && c.Name() != "completion" {
			describeCommand(&b, c)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func describeCommand(b *strings.Builder, c *cobra.Command) {
	if !c.IsAvailableCommand() {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n", c.CommandPath())
	about := c.Long
	if about == "" {
		about = c.Short + "."
	}
	b.WriteString(about + "\n")
	fmt.Fprintf(b, "\n```sh\n%s\n```\n", c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", unindent(c.Example))
	}
	describeFlags(b, c)
	for _, sub := range c.Commands() {
		describeCommand(b, sub)
	}
}

// unindent drops the two spaces before each line of an example.
func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}

// describeFlags lists a command's own flags; those of the command above it stand
// there.
func describeFlags(b *strings.Builder, c *cobra.Command) {
	rows := false
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if !rows {
			b.WriteString("\n| flag | meaning |\n|---|---|\n")
			rows = true
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		kind, usage := pflag.UnquoteUsage(f)
		if kind != "" {
			name += " " + kind
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" && f.DefValue != "[]" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, strings.ReplaceAll(usage, "|", "\\|"))
	})
	if c.HasInheritedFlags() {
		fmt.Fprintf(b, "\nAnd the flags of [%s](#%s).\n", c.Parent().CommandPath(),
			strings.ReplaceAll(c.Parent().CommandPath(), " ", "-"))
	}
}
