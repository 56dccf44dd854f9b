package clustertest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"

	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// gateway is the address of this machine that pods reach; test/cluster/cluster
// gives it to the bridge.
const gateway = "10.244.0.1"

// Expose makes a server of the test, which listens on the loopback, reachable
// from pods, and returns the address that they use.
func (c *Cluster) Expose(address string) string {
	c.t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		c.t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(c.t.Context(), "tcp", gateway+":0")
	if err != nil {
		c.t.Fatalf("listen where pods reach: %v", err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: proxy}}
	server.Start()
	c.t.Cleanup(server.Close)
	return server.URL
}

// Forward connects a port of this machine with one of a pod of the cluster's
// namespace, as "kubectl port-forward" does: the pod sees connections from its
// own loopback. It returns the address here, and ends with the test.
func (c *Cluster) Forward(pod string, port int) string {
	c.t.Helper()
	roundTripper, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		c.t.Fatalf("forward to pod %s: %v", pod, err)
	}
	target := c.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(c.Namespace).Name(pod).SubResource(
		"portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: roundTripper}, http.MethodPost, target)
	stop, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("0:%d", port)}, stop,
		ready, io.Discard, io.Discard)
	if err != nil {
		c.t.Fatalf("forward to pod %s: %v", pod, err)
	}
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-ended:
		c.t.Fatalf("forward to pod %s: %v", pod, err)
	}
	c.t.Cleanup(func() {
		close(stop)
		if err := <-ended; err != nil {
			c.t.Errorf("forward to pod %s: %v", pod, err)
		}
	})
	ports, err := forwarder.GetPorts()
	if err != nil {
		c.t.Fatalf("forward to pod %s: %v", pod, err)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", ports[0].Local)
}
