package clustertest

import (
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ConfigOf returns a configuration with which a client is the service account of
// that name in the cluster's namespace, and nobody else, for an hour.
func (c *Cluster) ConfigOf(account string) *rest.Config {
	c.t.Helper()
	request := &authenticationv1.TokenRequest{}
	token, err := c.Client.CoreV1().ServiceAccounts(c.Namespace).CreateToken(c.t.Context(), account, request,
		metav1.CreateOptions{})
	if err != nil {
		c.t.Fatalf("get a token of service account %s: %v", account, err)
	}
	config := rest.AnonymousClientConfig(c.Config)
	config.BearerToken = token.Status.Token
	closeConnections(c.t, config)
	return config
}

// KubeconfigOf writes a kubeconfig of the service account of that name, as
// ConfigOf describes it, and returns its path. Its default namespace is the
// cluster's.
func (c *Cluster) KubeconfigOf(account string) string {
	c.t.Helper()
	config := c.ConfigOf(account)
	file := clientcmdapi.NewConfig()
	file.Clusters["test"] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	file.AuthInfos[account] = &clientcmdapi.AuthInfo{Token: config.BearerToken}
	file.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: account, Namespace: c.Namespace}
	file.CurrentContext = "test"
	path := filepath.Join(c.t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*file, path); err != nil {
		c.t.Fatalf("write the kubeconfig of %s: %v", account, err)
	}
	return path
}
