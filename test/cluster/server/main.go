// Command server is a whole Kubernetes control plane and node in one binary:
// the name under which it is called (kube-apiserver, kube-controller-manager,
// kube-scheduler, kubelet), or else its first argument, says which of them it
// is. One binary links four times faster than four.
//
// It is a module of its own, because Kubernetes pins hundreds of modules that
// dagwright does not need.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	// Kubernetes' own commands import these for their effect: JSON logs and the
	// metrics of client-go.
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	commands := map[string]func() *cobra.Command{
		"kube-apiserver":          apiserver.NewAPIServerCommand,
		"kube-controller-manager": controllers.NewControllerManagerCommand,
		"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
		"kubelet":                 kubelet.NewKubeletCommand,
	}
	command, ok := commands[filepath.Base(os.Args[0])]
	if !ok && len(os.Args) > 1 {
		command, ok = commands[os.Args[1]]
		os.Args = os.Args[1:]
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: server kube-apiserver|kube-controller-manager|kube-scheduler|kubelet [flag...]")
		os.Exit(2)
	}
	os.Exit(cli.Run(command()))
}
