package instance

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"dagwright/auth"
	"dagwright/executor/pod"
	"dagwright/usage"
)

// configFiles says of each key that names a file or folder why what is there cannot work; "" when it can. These are
// checked before the instance is opened, not when the configuration is read: another machine may read it, too.
var configFiles = map[string]func(path string) string{
	"tls.cert_file": unreadable, "tls.key_file": unreadable,
	"database_file":   wrongDSN,
	"data":            wrongDataFolder,
	"auth.rules_file": unreadable, "auth.key_file": wrongKey, "auth.oidc.client_secret_file": wrongSecret,
	"auth.oidc.ca_file": wrongCertificates, "auth.kubernetes.kubeconfig": unreadable,
	"dag_repository.password_file": wrongSecret, "gitlab.token_file": wrongSecret, "webhook.secret_files": wrongSecret,
	"models.templates": wrongFolder, "models.registry_password_file": wrongSecret,
	"promotion.password_file": wrongSecret, "promotion.from.password_file": wrongSecret,
	"kubernetes.kubeconfig": unreadable,
	"logs.mask_files":       wrongMasks,
}

// checkFiles reports the files and folders that cannot work, of the parts that run, with their keys' places.
func (c Config) checkFiles(run []string) error {
	f := &configFile{name: c.file, root: c.root}
	podsHere := slices.Contains(run, "scheduler") && c.Scheduler.Executor == "kubernetes"
	for key, wrong := range configFiles {
		if key == "models.templates" && !slices.Contains(run, "generator") || key == "kubernetes.kubeconfig" && !podsHere {
			continue
		}
		f.files(key, wrong)
	}
	if len(f.faults) == 0 && c.TLS.CertFile != "" {
		_, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
		f.want(err == nil, "tls.cert_file", reasonOf(err))
	}
	if len(f.faults) == 0 && podsHere && c.Kubernetes.Kubeconfig != "" {
		_, err := pod.Dial(pod.Access{Kubeconfig: c.Kubernetes.Kubeconfig, Context: c.Kubernetes.Context})
		f.want(err == nil, "kubernetes.kubeconfig", reasonOf(err))
	}
	if err := f.err(); err != nil {
		return usage.New(err)
	}
	return nil
}

// files checks what stands at a key, one file or a list of them.
func (f *configFile) files(key string, wrong func(path string) string) {
	n := aliased(f.find(key))
	if !f.has(key) {
		return
	}
	check := func(n *yaml.Node, name string) {
		if reason := wrong(n.Value); n.Value != "" && reason != "" {
			f.at(n, name, "%s; want %s", reason, configValues[key].want)
		}
	}
	if n.Kind != yaml.SequenceNode {
		check(n, key)
		return
	}
	for i, item := range n.Content {
		check(aliased(item), fmt.Sprintf("%s[%d]", key, i))
	}
}

// causeOf is why the system could not reach a file, with its name.
func causeOf(err error, path string) string {
	if cause := (*fs.PathError)(nil); errors.As(err, &cause) {
		err = cause.Err
	}
	return path + ": " + err.Error()
}

func unreadable(path string) string {
	_, reason := contentOf(path)
	return reason
}

// contentOf reads a file, or says why it cannot be read.
func contentOf(path string) (text []byte, reason string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, causeOf(err, path)
	}
	return text, ""
}

// secretIn is what a file with one secret holds, or says why it holds none.
func secretIn(path string) (secret, reason string) {
	text, reason := contentOf(path)
	secret = strings.TrimSpace(string(text))
	if reason == "" && secret == "" {
		reason = path + " is empty"
	}
	return secret, reason
}

func wrongSecret(path string) string {
	_, reason := secretIn(path)
	return reason
}

func wrongKey(path string) string {
	key, reason := secretIn(path)
	if reason == "" && len(key) < auth.MinKey {
		return fmt.Sprintf("%s has %d bytes, and a key has %d or more", path, len(key), auth.MinKey)
	}
	return reason
}

func wrongDSN(path string) string {
	dsn, reason := secretIn(path)
	if reason == "" && !databaseAddress(dsn) {
		return path + " holds something else"
	}
	return reason
}

func wrongCertificates(path string) string {
	text, reason := contentOf(path)
	if reason == "" && !x509.NewCertPool().AppendCertsFromPEM(text) {
		return path + " has no certificate in PEM form"
	}
	return reason
}

func wrongFolder(path string) string {
	switch info, err := os.Stat(path); {
	case err != nil:
		return causeOf(err, path)
	case !info.IsDir():
		return path + " is not a folder"
	}
	return ""
}

// wrongDataFolder lets a folder be made that is not there yet.
func wrongDataFolder(path string) string {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return wrongFolder(path)
}

// wrongMasks is about a file, or a folder of files, such as a mounted Secret.
func wrongMasks(path string) string {
	for _, file := range secretFiles(path) {
		if reason := wrongSecret(file); reason != "" {
			return reason
		}
	}
	return ""
}
