package instance

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"dagwright/usage"
)

// TestFilesThatCannotWork gives each key that names a file one that is missing, a folder, or an empty one: the instance
// does not start, by wrong use, and says so with file, line and key.
func TestFilesThatCannotWork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	key, missing, empty := write("key", strings.Repeat("k", 32)), filepath.Join(dir, "missing"), write("empty", " \n")
	short := write("short", "k")
	named := regexp.MustCompile(`(_file|_files|templates|kubeconfig)$`)
	for _, leaf := range configLeaves(reflect.TypeFor[Config](), "") {
		if _, checked := configFiles[leaf.key]; named.MatchString(leaf.key) != checked && leaf.key != "data" {
			t.Errorf("%s: named as a file: %v, checked as one: %v", leaf.key, !checked, checked)
		}
	}
	start := func(leaf, path string) string {
		t.Helper()
		value := path
		if strings.HasSuffix(leaf, "_files") {
			value = "[" + path + "]"
		}
		text := withKey(t, leaf, value)
		if leaf == "auth.rules_file" {
			text = regexp.MustCompile(`(?m)^ +rules:\n( +- .*\n)+|^ +rules: .*\n`).ReplaceAllString(text, "")
		}
		// What stands there else is in order.
		text = strings.NewReplacer("key_file: key", "key_file: "+key, "secret_files: [x]",
			"secret_files: ["+key+"]").Replace(text)
		return refusalOfStart(t, alongside(leaf, text, key))
	}
	for leaf := range configFiles {
		wrong := map[string]string{missing: "no such file or directory", dir: "is a directory", empty: "is empty"}
		switch leaf {
		case "data":
			wrong = map[string]string{key: "is not a folder", filepath.Join(key, "below"): "not a directory"}
		case "models.templates":
			wrong = map[string]string{key: "is not a folder", missing: "no such file or directory"}
		case "logs.mask_files":
			delete(wrong, dir)
		case "auth.key_file":
			wrong[short] = "has 1 bytes, and a key has 32 or more"
		case "database_file":
			wrong[short] = "holds something else"
		case "auth.oidc.ca_file":
			wrong[short], wrong[empty] = "has no certificate in PEM form", "has no certificate in PEM form"
		case "tls.cert_file", "tls.key_file", "auth.rules_file", "auth.kubernetes.kubeconfig", "kubernetes.kubeconfig":
			delete(wrong, empty) // what is in it is looked at by those who use it
		}
		for path, reason := range wrong {
			fault := start(leaf, path)
			want := regexp.MustCompile(`(?m)^FILE:\d+:\d+: ` + regexp.QuoteMeta(leaf) + `(\[0\])?: .*` +
				regexp.QuoteMeta(reason) + `.*; want `)
			if !want.MatchString(fault) || strings.Contains(fault, "\n") {
				t.Errorf("%s: %s\n%s\nwant %s", leaf, path, fault, reason)
			}
		}
	}
}

// alongside adds what a key needs beside it.
func alongside(leaf, text, file string) string {
	switch {
	case leaf == "tls.cert_file":
		return strings.Replace(text, "cert_file:", "key_file: "+file+"\n    cert_file:", 1)
	case leaf == "tls.key_file":
		return strings.Replace(text, "key_file:", "cert_file: "+file+"\n    key_file:", 1)
	case leaf == "database_file":
		return strings.Replace(text, "database: sqlite:x.db\n", "", 1)
	case leaf == "models.registry_password_file":
		return strings.Replace(text, "registry_password_file:", "registry_username: x, registry_password_file:", 1)
	case leaf == "auth.kubernetes.kubeconfig":
		return strings.Replace(text, "kubeconfig:", "audiences: [x]\n        kubeconfig:", 1)
	case leaf == "kubernetes.kubeconfig":
		return strings.Replace(text, "kubeconfig:", "namespace: x\n    instance: x\n    kubeconfig:", 1) +
			"scheduler: {executor: kubernetes}\n"
	case strings.HasPrefix(leaf, "promotion.from."):
		return strings.Replace(text, "from:\n", "only_promoted: true\n    from:\n        url: y\n        project: g/p\n", 1)
	case strings.HasPrefix(leaf, "promotion."):
		text = strings.Replace(text, "gitlab: {", "gitlab: {token_file: "+file+", ", 1)
		return strings.Replace(text, "password_file:", "url: y\n    project: g/p\n    password_file:", 1)
	}
	return text
}

// refusalOfStart is why a configuration makes no instance.
func refusalOfStart(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dagwright.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := ReadConfig(file)
	if err == nil {
		_, err = c.Settings(Components)
	}
	if err == nil {
		return ""
	}
	if wrong := (usage.Error{}); !errors.As(err, &wrong) {
		t.Errorf("%v is not wrong use", err)
	}
	return strings.ReplaceAll(err.Error(), file, "FILE")
}

// TestRunOfNothing refuses to start an instance of no part.
func TestRunOfNothing(t *testing.T) {
	t.Parallel()
	c, fault := readConfig(t, minimalConfig)
	if fault != "" {
		t.Fatal(fault)
	}
	for words, run := range map[string][]string{"--run names nothing: want some of webhook, ": nil,
		`--run "": want some of webhook, `: {""}} {
		_, err := c.Settings(run)
		if wrong := (usage.Error{}); !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), words) {
			t.Errorf("%q: %v", run, err)
		}
	}
}
