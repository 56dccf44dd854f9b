package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"dagwright/client"
	"dagwright/terminal"
	"dagwright/usage"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// confirm asks on a terminal. Elsewhere nobody can answer, so --yes is wanted.
func confirm(ctx context.Context, cmd *cobra.Command, question string) error {
	if in, ok := cmd.InOrStdin().(*os.File); ok && !term.IsTerminal(int(in.Fd())) {
		return usage.New(errors.New("this asks first: use --yes where there is no terminal"))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s [y/N] ", terminal.OneLine(question))
	answer := make(chan string, 1)
	go func() { // reading a terminal cannot be interrupted
		line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n') // no answer means no
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case text := <-answer:
		if text == "y" || text == "yes" {
			return nil
		}
	}
	return errNotDone
}

// errNotDone says that a person said no.
var errNotDone = errors.New("nothing was done")

// askInProduction asks before an act on a production server, where there is a
// person to answer; scripts go on.
func askInProduction(cmd *cobra.Command, c *client.Client, yes bool, question string) error {
	in, ok := cmd.InOrStdin().(*os.File)
	if !c.Server().Production || yes || ok && !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	return confirm(cmd.Context(), cmd, c.Server().String()+" is production. "+question)
}
