package clustertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Part is a process of the cluster, by its name.
type Part string

// The parts that a test can break.
const (
	Etcd              Part = "etcd"
	APIServer         Part = "kube-apiserver"
	ControllerManager Part = "kube-controller-manager"
	Scheduler         Part = "kube-scheduler"
	Containerd        Part = "containerd"
	Kubelet           Part = "kubelet"
)

// Kill ends a part as a crash does. It stays dead until Start, or the test's end.
func (c *Cluster) Kill(part Part) {
	c.t.Helper()
	c.startAtTheEnd(part)
	c.run("kill", string(part))
}

// Stop ends a part in good order. It stays so until Start, or the test's end.
func (c *Cluster) Stop(part Part) {
	c.t.Helper()
	c.startAtTheEnd(part)
	c.run("stop", string(part))
}

// Start starts a part that was killed or stopped, and returns when it is ready.
func (c *Cluster) Start(part Part) {
	c.t.Helper()
	c.run("start", string(part))
}

// startAtTheEnd is registered after the namespace's deletion, and so runs before
// it, which needs all parts.
func (c *Cluster) startAtTheEnd(part Part) {
	c.t.Cleanup(func() { c.run("start", string(part)) })
}

// LoadImage imports a docker-archive or OCI archive into the node.
func (c *Cluster) LoadImage(tar string) {
	c.t.Helper()
	c.run("load", tar)
}

// Image makes an image with python3 and the files of dir, in which it starts, under
// a name of the test's own choice.
func (c *Cluster) Image(name, dir string) {
	c.t.Helper()
	c.run("image", name, "localhost/python:3.11", dir)
}

// ModelImage returns the reference of an image with python3 and the files of dir,
// in which it starts. It is made at the first use of these files.
func (c *Cluster) ModelImage(dir string) string {
	c.t.Helper()
	sum, err := hashFiles(dir)
	if err != nil {
		c.t.Fatalf("read the model's files: %v", err)
	}
	image := "localhost/model-" + filepath.Base(dir) + ":" + sum[:12]
	c.Image(image, dir)
	return image
}

// DagwrightImage returns the reference of the image that the project's Dockerfile
// makes of the sources as they are.
func (c *Cluster) DagwrightImage() string {
	c.t.Helper()
	const image = "localhost/dagwright:test"
	c.run("dagwright", image)
	return image
}

// FakeNodes sees to n or more nodes on which pods only seem to run, for tests of
// scale. See FakePod.
func (c *Cluster) FakeNodes(n int) {
	c.t.Helper()
	c.run("nodes", strconv.Itoa(n))
}

// OwnFakeNode adds a fake node for this test alone, and returns its name, which is also
// the value of its FakeLabel: what does not select that stays away. The test may delete
// the node; else that is done when the test ends.
func (c *Cluster) OwnFakeNode() string {
	c.t.Helper()
	c.FakeNodes(1) // so that there is somebody to play it
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        c.Namespace,
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
			Labels:      map[string]string{FakeLabel: c.Namespace},
		},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: FakeLabel, Value: "true", Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("64Gi"),
			corev1.ResourcePods: resource.MustParse("10"),
		}},
	}
	node.Status.Capacity = node.Status.Allocatable
	nodes := c.Client.CoreV1().Nodes()
	if _, err := nodes.Create(c.t.Context(), node, metav1.CreateOptions{}); err != nil {
		c.t.Fatalf("make a fake node: %v", err)
	}
	c.t.Cleanup(func() {
		err := nodes.Delete(context.Background(), node.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			c.t.Errorf("delete the fake node: %v", err)
		}
	})
	return node.Name
}

// run calls test/cluster/cluster.
func (c *Cluster) run(args ...string) {
	c.t.Helper()
	script, err := findScript()
	if err != nil {
		c.t.Fatal(err)
	}
	// Not the test's context: what it broke is repaired after that has ended.
	cmd := exec.Command(script, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		c.t.Fatalf("test/cluster/cluster %q: %v\n%s", args, err, stderr.String())
	}
}

// findScript looks in the folders above, for tests run in their package's folder.
func findScript() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		script := filepath.Join(dir, "test", "cluster", "cluster")
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
		if dir == filepath.Dir(dir) {
			return "", &fs.PathError{Op: "find", Path: "test/cluster/cluster", Err: fs.ErrNotExist}
		}
		dir = filepath.Dir(dir)
	}
}

// hashFiles returns the SHA-256 of the names, modes and contents under dir.
func hashFiles(dir string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		file := sha256.Sum256(content)
		_, err = sum.Write([]byte(name + "\x00" + info.Mode().String() + "\x00" + hex.EncodeToString(file[:]) + "\n"))
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}
