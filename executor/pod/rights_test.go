package pod_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// withAccount makes the executor a service account with some rights, each as
// "resource: verb verb …", and no others.
func (h *home) withAccount(t *testing.T, account string, rights ...string) {
	t.Helper()
	object := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}
	if _, err := h.Client.CoreV1().ServiceAccounts(h.Namespace).Create(t.Context(), object,
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, right := range rights {
		h.allow(t, account, right)
	}
	config := rest.CopyConfig(h.ConfigOf(account))
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	h.client = client.CoreV1().RESTClient()
}

// allow gives an account one right.
func (h *home) allow(t *testing.T, account, right string) {
	t.Helper()
	resource, verbs, _ := strings.Cut(right, ": ")
	rbac := h.Client.RbacV1()
	role, err := rbac.Roles(h.Namespace).Create(t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{GenerateName: account + "-"},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{resource},
			Verbs: strings.Fields(verbs)}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = rbac.RoleBindings(h.Namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: h.Namespace}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}
