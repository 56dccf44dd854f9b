package dag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The limits of a run's conf. A process's whole environment and arguments must
// fit into what the kernel takes at its start.
const (
	maxConfValue = 64 << 10
	maxConfTotal = 256 << 10
	maxConfDepth = 32
)

// reservedEnv holds the variables that a conf may not set, because they change
// which program or library a task runs, whom it trusts, or what dagwright,
// Airflow and Kubernetes themselves tell a task.
var reservedEnv = map[string]bool{
	"PATH": true, "HOME": true, "USER": true, "LOGNAME": true, "SHELL": true,
	"PWD": true, "OLDPWD": true, "HOSTNAME": true, "TMPDIR": true,
	"IFS": true, "ENV": true, "CDPATH": true, "PS4": true, "PROMPT_COMMAND": true,
	"SHELLOPTS": true, "BASHOPTS": true, "GLOBIGNORE": true,
	"GCONV_PATH": true, "LOCPATH": true, "NLSPATH": true, "HOSTALIASES": true,
	"NODE_OPTIONS": true, "NODE_PATH": true, "PERLLIB": true, "RUBYLIB": true, "RUBYOPT": true,
	"JAVA_TOOL_OPTIONS": true, "_JAVA_OPTIONS": true, "JDK_JAVA_OPTIONS": true, "CLASSPATH": true,
	"R_HOME": true, "R_LIBS": true, "R_PROFILE": true, "R_PROFILE_USER": true, "R_ENVIRON": true,
	"HTTP_PROXY": true, "HTTPS_PROXY": true, "ALL_PROXY": true, "NO_PROXY": true, "FTP_PROXY": true,
	"http_proxy": true, "https_proxy": true, "all_proxy": true, "no_proxy": true, "ftp_proxy": true,
	"SSL_CERT_FILE": true, "SSL_CERT_DIR": true, "REQUESTS_CA_BUNDLE": true, "CURL_CA_BUNDLE": true,
}

// reservedEnvPrefixes are the beginnings of further such names.
var reservedEnvPrefixes = []string{
	"LD_", "DYLD_", "MALLOC_", "GLIBC_", "BASH_", "PYTHON", "PERL5", "GIT_", "OPENSSL_",
	"AIRFLOW_CTX_", "DAGWRIGHT_", "KUBERNETES_",
}

// CheckConf says what is wrong with the conf of a run, whose keys become
// environment variables of its tasks. Every key must be a portable name
// ([A-Za-z_][A-Za-z0-9_]*, at most 250 characters) that is not reserved, and
// every value free of NUL, at most 64 KiB as text, 256 KiB together with the
// others, and nested no deeper than 32. The error is an [ErrInvalid] that names
// the first wrong key and never a value.
func CheckConf(conf map[string]any) error {
	total := 0
	for _, key := range slices.Sorted(maps.Keys(conf)) {
		size, err := checkConfEntry(key, conf[key])
		if err != nil {
			return err
		}
		if total += size; total > maxConfTotal {
			return fmt.Errorf("%w conf: it is larger than 256 KiB in all (reached at key %s)", ErrInvalid, clip(key))
		}
	}
	return nil
}

// checkConfEntry returns how many bytes the entry takes in an environment.
func checkConfEntry(key string, value any) (int, error) {
	fault := ""
	switch {
	case !isPortableEnvName(key):
		fault = "is no name for an environment variable: use letters, digits and \"_\", not beginning with a digit, at most 250"
	case isReservedEnv(key):
		fault = "is reserved: it would change how the task itself runs; choose another name"
	case depthExceeds(value, maxConfDepth):
		fault = "has a value that is nested deeper than 32"
	}
	if fault != "" {
		return 0, fmt.Errorf("%w conf key %s: it %s", ErrInvalid, clip(key), fault)
	}
	text, err := confText(value)
	switch {
	case err != nil:
		fault = "has a value that is not JSON"
	case strings.IndexByte(text, 0) >= 0:
		fault = "has a value with a NUL character"
	case len(text) > maxConfValue:
		fault = "has a value larger than 64 KiB"
	default:
		return len(key) + len(text) + len("=\x00"), nil
	}
	return 0, fmt.Errorf("%w conf key %s: it %s", ErrInvalid, clip(key), fault)
}

func isReservedEnv(name string) bool {
	return reservedEnv[name] || slices.ContainsFunc(reservedEnvPrefixes, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
}

func depthExceeds(value any, limit int) bool {
	if limit == 0 {
		return true
	}
	deeper := func(e any) bool { return depthExceeds(e, limit-1) }
	switch v := value.(type) {
	case map[string]any:
		for _, e := range v {
			if deeper(e) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, deeper)
	}
	return false
}

// ConfEnv turns a conf that [CheckConf] has passed into environment variables,
// sorted by name: strings as they are, everything else as compact JSON.
func ConfEnv(conf map[string]any) []EnvVar {
	env := make([]EnvVar, 0, len(conf))
	for _, key := range slices.Sorted(maps.Keys(conf)) {
		text, err := confText(conf[key])
		if err != nil {
			// CheckConf refuses such a value when the run is asked for.
			continue
		}
		env = append(env, EnvVar{Name: key, Value: text})
	}
	return env
}

func confText(value any) (string, error) {
	if s, ok := value.(string); ok {
		return s, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	// A task reads the variable, no browser does: "<" must stay "<".
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
