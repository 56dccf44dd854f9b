// Command dagwright turns pushes to model repositories into DAGs and runs them.
//
// Its commands are in package cli. The tests here run the whole program: scenarios,
// attacks, kills, a browser, a cluster.
package main

import (
	"os"
	_ "time/tzdata" // time zones also where the machine has none

	"dagwright/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:])) }
