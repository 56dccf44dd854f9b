// Package clustertest gives tests the real Kubernetes that test/cluster/cluster
// runs: a namespace of their own, its images, and the means to break its parts.
//
// Many tests may use the cluster at once, also from several test processes. A
// test that breaks a part of it takes it for itself with OpenAlone, and waits
// until the others are done; so a test calls t.Parallel before Open, never after
// it. Whatever a test broke is repaired when it ends.
//
// There is no stand-in: without a cluster the tests fail, and say what starts it.
package clustertest
