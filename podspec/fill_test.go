package podspec_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/podspec"
)

// TestFill sets what a spec leaves open: the policy's nodes beside the spec's own, and
// the grace of the instance only where it has one and the spec none.
func TestFill(t *testing.T) {
	t.Parallel()
	type filled struct {
		Namespace, Restart string
		Links, Token       bool
		Grace              int64 // -1 for none
		Nodes              map[string]string
	}
	usual := filled{Namespace: "models", Restart: "Never", Grace: -1}
	with := func(change func(*filled)) filled {
		f := usual
		change(&f)
		return f
	}
	nodes := map[string]string{"pool": "models", "zone": "a"}
	for name, c := range map[string]struct {
		grace  time.Duration
		nodes  map[string]string
		fields string
		want   filled
	}{
		"nothing":            {0, nil, "", usual},
		"grace":              {20 * time.Second, nil, "", with(func(f *filled) { f.Grace = 20 })},
		"its own grace":      {20 * time.Second, nil, "termination_grace_period: 5", with(func(f *filled) { f.Grace = 5 })},
		"its own grace of 0": {20 * time.Second, nil, "termination_grace_period: 0", with(func(f *filled) { f.Grace = 0 })},
		"nodes":              {0, nodes, "", with(func(f *filled) { f.Nodes = nodes })},
		"its own nodes alone": {0, nil, "node_selector: {disk: ssd}",
			with(func(f *filled) { f.Nodes = map[string]string{"disk": "ssd"} })},
		"nodes of both": {0, nodes, "node_selector: {disk: ssd, zone: a}", with(func(f *filled) {
			f.Nodes = map[string]string{"pool": "models", "zone": "a", "disk": "ssd"}
		})},
	} {
		config := podspec.Config{Instance: "dev", Namespace: "models", Grace: c.grace,
			Policy: opened(podspec.Policy{NodeSelector: c.nodes, NodeLabels: []string{"disk"}})}
		task := task(t, c.fields)
		pod, err := config.Build(podspec.Input{Key: dag.AttemptKey{DAG: "d", Run: "r", Task: "t", Try: 1}, Task: task})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := filled{
			Namespace: pod.Namespace, Restart: string(pod.Spec.RestartPolicy), Grace: -1, Nodes: pod.Spec.NodeSelector,
			Links: *pod.Spec.EnableServiceLinks, Token: *pod.Spec.AutomountServiceAccountToken,
		}
		if s := pod.Spec.TerminationGracePeriodSeconds; s != nil {
			got.Grace = *s
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
