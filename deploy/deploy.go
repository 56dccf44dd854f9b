// Package deploy holds the Kubernetes manifests of dagwright, for
//
//	kubectl apply -f deploy/kubernetes/
//
// and the realm by which a Keycloak knows it. They are embedded so that tests check
// what they promise, and run them on a real cluster and a real Keycloak.
package deploy

import "embed"

// Kubernetes holds the manifests, in the order of their application.
//
//go:embed kubernetes/*.yaml
var Kubernetes embed.FS

// KeycloakRealm is a realm with the clients of a DEV and a PROD instance and of the
// command line, to be imported.
//
//go:embed keycloak/platform-realm.json
var KeycloakRealm []byte
