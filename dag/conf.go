package dag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits of a run's conf. A process's whole environment and arguments must
// fit into what the kernel takes at its start.
const (
	maxConfValue = 64 << 10
	maxConfTotal = 256 << 10
	maxConfDepth = 32
	// maxString is the longest "NAME=value" that a process can be started with: Linux'
	// MAX_ARG_STRLEN of 32 pages, less the NUL at its end. See execve(2).
	maxString = 128<<10 - 1
)

// confVariable is the variable in which the templates hand the whole conf to a
// container, as Jinja's tojson writes it.
const confVariable = "DAG_RUN_CONF"

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
	"PIP_INDEX_URL": true, "PIP_EXTRA_INDEX_URL": true, "PIP_FIND_LINKS": true, "PIP_TRUSTED_HOST": true,
	"PIP_CONFIG_FILE": true,
	"PIP_PROXY":       true, "PIP_CERT": true,
	"UV_INDEX_URL": true, "UV_EXTRA_INDEX_URL": true, "UV_INDEX": true, "UV_DEFAULT_INDEX": true, "UV_FIND_LINKS": true,
	"UV_CONFIG_FILE": true,
}

// ownEnv holds the variables that dagwright sets by itself in each container, and
// ownEnvPrefixes the beginnings of further ones: neither a conf nor a model may set
// them.
var (
	ownEnv         = map[string]bool{"LOGICAL_DATE": true, confVariable: true}
	ownEnvPrefixes = []string{"AIRFLOW_CTX_", "DAGWRIGHT_", "KUBERNETES_"}
)

// reservedEnvPrefixes are the beginnings of further such names.
var reservedEnvPrefixes = []string{
	"LD_", "DYLD_", "MALLOC_", "GLIBC_", "BASH_", "PYTHON", "PERL5", "GIT_", "OPENSSL_",
	"AWS_ENDPOINT_URL", "XDG_", "NPM_CONFIG_", "npm_config_",
}

// CheckConf says what is wrong with the conf of a run, whose keys become
// environment variables of its tasks. Every key must be a portable name
// ([A-Za-z_][A-Za-z0-9_]*, at most 250 characters) that is not reserved, and
// every value free of NUL, at most 64 KiB as text, 256 KiB together with the
// others, and nested no deeper than 32, with numbers within the range of a float64. As
// JSON, the conf must fit into one variable, DAG_RUN_CONF. The error is an [ErrInvalid] that names
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
	if size := len(confVariable) + 1 + jsonSize(conf); size > maxString {
		return fmt.Errorf("%w conf: as JSON in the variable %s it takes %d bytes, of which a process gets %d at most",
			ErrInvalid, confVariable, size, maxString)
	}
	return nil
}

// jsonSize is how long a value is as Jinja's tojson writes it: ASCII alone, with a
// blank behind each comma and colon, and <, >, & and ' as \u003c.
func jsonSize(v any) int {
	switch v := v.(type) {
	case string:
		return stringSize(v)
	case map[string]any:
		size := max(2, 2*len(v)) // brackets and ", "
		for k, e := range v {
			size += stringSize(k) + len(": ") + jsonSize(e)
		}
		return size
	case []any:
		size := max(2, 2*len(v))
		for _, e := range v {
			size += jsonSize(e)
		}
		return size
	}
	text, _ := confText(v) // a value that is not JSON was refused before
	return len(text)
}

func stringSize(s string) int {
	size := len(`""`)
	for _, r := range s {
		switch {
		case strings.ContainsRune("\\\"\n\r\t\b\f", r):
			size += len(`\n`)
		case r > 0xffff:
			size += len(`\ud83d\ude00`)
		case r < ' ' || r > '~' || strings.ContainsRune("<>&'", r):
			size += len(`\u003c`)
		default:
			size++
		}
	}
	return size
}

// CheckEnvironment says which of a container's variables, or which part of its command,
// no process can be started with: each may have 128 KiB with its name, and all together
// 1 MiB, which leaves room for what the system adds. None holds a NUL. The error is an [ErrInvalid].
func CheckEnvironment(env []EnvVar, command []string) error {
	const maxAll = 1 << 20
	total := 0
	for _, v := range env {
		size := len(v.Name) + len("=") + len(v.Value)
		if size > maxString {
			return fmt.Errorf("%w environment: the variable %s takes %d bytes, of which a process gets %d at most", ErrInvalid,
				clip(v.Name), size, maxString)
		}
		if strings.ContainsRune(v.Value, 0) {
			return fmt.Errorf("%w environment: the variable %s holds a NUL character, which ends a text for the system",
				ErrInvalid, clip(v.Name))
		}
		total += size + 1
	}
	for i, part := range command {
		if len(part) > maxString {
			return fmt.Errorf("%w command: part %d has %d bytes, of which a process gets %d at most", ErrInvalid, i+1,
				len(part), maxString)
		}
		if strings.ContainsRune(part, 0) {
			return fmt.Errorf("%w command: part %d holds a NUL character, which ends a text for the system", ErrInvalid, i+1)
		}
		total += len(part) + 1
	}
	if total > maxAll {
		return fmt.Errorf("%w environment: variables and command take %d bytes in all, of which a process gets %d at most",
			ErrInvalid, total, maxAll)
	}
	return nil
}

// checkConfEntry returns how many bytes the entry takes in an environment.
func checkConfEntry(key string, value any) (int, error) {
	if !isPortableEnvName(key) {
		return 0, fmt.Errorf(
			"%w conf key %s is not a name of an environment variable: use letters, digits and \"_\", not beginning with a digit, at most 250 characters",
			ErrInvalid, clip(key))
	}
	fault := ""
	switch {
	case IsOwnEnv(key):
		fault = "is reserved: dagwright sets it; choose another name"
	case isReservedEnv(key):
		fault = "is reserved: it would change how the task itself runs; choose another name"
	case depthExceeds(value, maxConfDepth):
		fault = "has a value that is nested deeper than 32"
	case !finite(value):
		fault = "has a number that is beyond the range of numbers; put it in quotes"
	}
	if fault != "" {
		return 0, fmt.Errorf("%w conf key %s: it %s", ErrInvalid, clip(key), fault)
	}
	text, err := confText(value)
	switch {
	case err != nil:
		fault = "has a value that is not JSON"
	case !utf8.ValidString(text):
		fault = "has a value that is not UTF-8"
	case strings.IndexByte(text, 0) >= 0:
		fault = "has a value with a NUL character"
	case len(text) > maxConfValue:
		fault = "has a value larger than 64 KiB"
	default:
		return len(key) + len(text) + len("=\x00"), nil
	}
	return 0, fmt.Errorf("%w conf key %s: it %s", ErrInvalid, clip(key), fault)
}

// IsOwnEnv reports whether dagwright itself sets a variable in each container.
func IsOwnEnv(name string) bool { return ownEnv[name] || hasAnyPrefix(name, ownEnvPrefixes) }

func isReservedEnv(name string) bool {
	return reservedEnv[name] || hasAnyPrefix(name, reservedEnvPrefixes)
}

func hasAnyPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// finite reports whether all numbers in a value are within the range of a float64.
func finite(value any) bool {
	switch v := value.(type) {
	case json.Number:
		return isFinite(v)
	case map[string]any:
		for _, e := range v {
			if !finite(e) {
				return false
			}
		}
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !finite(e) })
	}
	return true
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
