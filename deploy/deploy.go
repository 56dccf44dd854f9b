// Package deploy holds the Kubernetes manifests of dagwright, for
//
//	kubectl apply -f deploy/kubernetes/
//
// They are embedded so that tests hold them against what they promise, and run
// them on a real cluster.
package deploy

import "embed"

// Kubernetes holds the manifests, in the order of their application.
//
//go:embed kubernetes/*.yaml
var Kubernetes embed.FS
