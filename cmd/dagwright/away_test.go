package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dagwright/test/cluster/clustertest"
)

// awayConfig is a kubeconfig of an API server that is not there.
const awayConfig = `
apiVersion: v1
kind: Config
clusters: [{name: away, cluster: {server: "http://ADDRESS"}}]
users: [{name: away, user: {}}]
contexts: [{name: away, context: {cluster: away, user: away}}]
current-context: away
`

// TestServeWithoutKubernetes starts while the API server refuses connections, or
// takes them and never answers. The log, readiness and the pages say so, and the
// DAG repository is taken over meanwhile.
func TestServeWithoutKubernetes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"refuses", "silent"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			if name == "refuses" {
				listener.Close()
			}
			config := filepath.Join(t.TempDir(), "kubeconfig")
			write(t, config, []byte(strings.Replace(awayConfig, "ADDRESS", listener.Addr().String(), 1)))
			o := newOnCluster(t, &clustertest.Cluster{Kubeconfig: config, Namespace: "tasks"}, "")
			o.gitlab.Commit("gbc/airflow-dev", "main", map[string]string{"dags/chain.yaml": podChain})
			o.serve(t)
			o.await(t, `"dag_id": ?"chain"`, "/api/v2/dags")
			o.awaitLog(t, "Kubernetes does not answer; no task is started or followed until it does")
			const trouble = "no task is started or followed: Kubernetes has not answered since dagwright started"
			for _, path := range []string{"/readyz", "/", "/dags/chain/runs"} {
				if status, body := o.get(t, path); status != 200 || !strings.Contains(body, trouble) {
					t.Errorf("GET %s: %d, want it to say %q:\n%s", path, status, trouble, body)
				}
			}
		})
	}
}

// awaitLog waits until the server has logged a text.
func (d *devProcess) awaitLog(t *testing.T, text string) {
	t.Helper()
	tick, late := time.NewTicker(50*time.Millisecond), time.After(scriptPatience)
	defer tick.Stop()
	for !strings.Contains(d.log.String(), text) {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not logged: %q\n%s", text, d.log)
		}
	}
}
