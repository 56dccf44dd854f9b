package cli

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dagwright/client"
)

// completionPatience bounds how long somebody who pressed Tab waits for a server.
const completionPatience = 3 * time.Second

// completer lists what can stand where the cursor is. The arguments before it are
// given, and the beginning of the word.
type completer func(cmd *cobra.Command, args []string, word string) ([]string, error)

// completeArguments completes a command's arguments, each by its own completer;
// the last one also completes the arguments behind it when it repeats.
func completeArguments(by ...completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(by) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completed(cmd, by[len(args)], args, word)
	}
}

// completeRepeated completes every argument alike.
func completeRepeated(by completer) cobra.CompletionFunc { return completeFlag(by) }

func completeFlag(by completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		return completed(cmd, by, args, word)
	}
}

// completed runs a completer. What fails completes nothing: there is no place for
// a message between two keys.
func completed(cmd *cobra.Command, by completer, args []string, word string) ([]string, cobra.ShellCompDirective) {
	found, err := by(cmd, args, word)
	if err != nil {
		cobra.CompDebugln(err.Error(), false)
		return nil, cobra.ShellCompDirectiveError
	}
	var fitting []string
	for _, f := range found {
		if strings.HasPrefix(f, word) {
			fitting = append(fitting, f)
		}
	}
	return fitting, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// mustComplete declares how a flag is completed.
func mustComplete(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag is declared just above
	}
}

// oneOf completes one of the given words.
func oneOf(words ...string) completer {
	return func(*cobra.Command, []string, string) ([]string, error) { return words, nil }
}

func completeContexts(*cobra.Command, []string, string) ([]string, error) {
	c, err := client.ReadContexts()
	return c.Names(), err
}

// flagsOf reads the client's flags back from a command that is being completed.
func flagsOf(cmd *cobra.Command) *clientFlags {
	text := func(name string) string {
		if f := cmd.Flag(name); f != nil {
			return f.Value.String()
		}
		return ""
	}
	return &clientFlags{server: text("server"), context: text("context")}
}

// ask calls the server for a completion.
func ask(cmd *cobra.Command, r client.Request, answer any) error {
	c, err := flagsOf(cmd).dial()
	if err != nil {
		return err
	}
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completionPatience)
	defer cancel()
	return c.Call(ctx, r, answer)
}

func completeDAGs(cmd *cobra.Command, _ []string, word string) ([]string, error) {
	var answer struct {
		DAGs []dagFields `json:"dags"`
	}
	query := url.Values{"limit": {"100"}, "order_by": {"dag_id"}}
	if word != "" {
		query.Set("dag_id_pattern", word+"%")
	}
	if err := ask(cmd, client.Request{Path: []string{"dags"}, Query: query}, &answer); err != nil {
		return nil, err
	}
	var ids []string
	for _, d := range answer.DAGs {
		ids = append(ids, d.ID)
	}
	return ids, nil
}

// completeRuns lists the newest runs of the DAG that is the first argument.
func completeRuns(cmd *cobra.Command, args []string, _ string) ([]string, error) {
	var answer runPage
	query := url.Values{"limit": {"50"}, "order_by": {"-run_after"}}
	if err := ask(cmd, client.Request{Path: []string{"dags", args[0], "dagRuns"}, Query: query}, &answer); err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range answer.Runs {
		ids = append(ids, r.Fields.ID)
	}
	return ids, nil
}

// completeTasks lists the tasks of the DAG that is the first argument.
func completeTasks(cmd *cobra.Command, args []string, _ string) ([]string, error) {
	var answer struct {
		Tasks []taskFields `json:"tasks"`
	}
	if err := ask(cmd, client.Request{Path: []string{"dags", args[0], "tasks"}}, &answer); err != nil {
		return nil, err
	}
	var ids []string
	for _, t := range answer.Tasks {
		ids = append(ids, t.ID)
	}
	return ids, nil
}
