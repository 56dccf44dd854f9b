package cli

import (
	"github.com/spf13/cobra"

	"dagwright/client"
)

// clientFlags are the flags of every command that talks to a server.
type clientFlags struct {
	outputFlags
	server, context string
}

// addTo declares the flags for a command and those below it.
func (f *clientFlags) addTo(cmd *cobra.Command) {
	f.addServerTo(cmd)
	f.outputFlags.addTo(cmd)
}

func (f *clientFlags) addServerTo(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&f.server, "server", "",
		"`URL` of the server (environment: "+client.ServerVariable+"; default: the current context's)")
	cmd.PersistentFlags().StringVar(&f.context, "context", "",
		"`name` of the server, see \"dagwright context\" (environment: "+client.ContextVariable+")")
	mustComplete(cmd, "context", completeFlag(completeContexts))
	mustComplete(cmd, "server", cobra.NoFileCompletions)
}

// dial finds the server and the token for it; it does not connect yet.
func (f *clientFlags) dial() (*client.Client, error) { return client.Dial(f.server, f.context) }

// dialUnknown finds the server, to which no token is sent.
func (f *clientFlags) dialUnknown() (*client.Client, error) {
	to, err := client.FindServer(f.server, f.context)
	if err != nil {
		return nil, err
	}
	return client.New(to, ""), nil
}
