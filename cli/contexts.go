package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"dagwright/dag"
	"dagwright/usage"
)

// clientConfig is what the command line keeps of a person: the servers that they
// use, by name. Tokens are in a file of their own.
type clientConfig struct {
	Current  string                   `yaml:"current,omitempty"`
	Contexts map[string]serverContext `yaml:"contexts,omitempty"`
}

// serverContext is a server that has a name.
type serverContext struct {
	Server string `yaml:"server" json:"server"`
	// Production asks for confirmation of dangerous acts.
	Production bool `yaml:"production,omitempty" json:"production"`
}

var contextName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// clientFile is the path of a file in the folder of a person's settings; "" for
// one without a home, as system users are: they have no settings and need none.
func clientFile(name string) string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "dagwright", name)
}

// readClientConfig reads the contexts; none when there is no file.
func readClientConfig() (clientConfig, error) {
	var c clientConfig
	path := clientFile("config.yml")
	if err := readClientFile(path, &c); err != nil {
		return c, err
	}
	for name, sc := range c.Contexts {
		if err := sc.check(name); err != nil {
			return c, usage.New(fmt.Errorf("%s: context %s: %w", path, name, err))
		}
	}
	return c, nil
}

func (sc serverContext) check(name string) error {
	if !contextName.MatchString(name) {
		return fmt.Errorf("name %q: want letters, digits, points, dashes and underscores", name)
	}
	_, err := parseServer(sc.Server)
	return err
}

// parseServer reads a server's URL. A slash at its end is dropped, so that one
// server has one name.
func parseServer(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("server %q: want a URL such as https://dagwright.example.com", text)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("server %q: want a URL without user, query and fragment; tokens come by \"dagwright login\"", u.Redacted())
	}
	return u, nil
}

// readClientFile decodes a YAML file strictly. A file that is missing or empty
// leaves the value as it is.
func readClientFile(path string, into any) error {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return usage.New(fmt.Errorf("%s: %w", path, explainKeys(err, reflect.TypeOf(into).Elem())))
	}
	return nil
}

// writeClientFile writes a file that only its owner may read, all of it or
// nothing.
func writeClientFile(path string, value any) error {
	text, err := yaml.Marshal(value)
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	half, err := os.CreateTemp(filepath.Dir(path), ".half-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	defer os.Remove(half.Name()) // once renamed it is not there
	_, err = half.Write(text)
	err = errors.Join(err, half.Sync(), half.Close())
	if err == nil {
		err = os.Rename(half.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}

// changeClientConfig reads, changes and writes the contexts, one process at a
// time.
func changeClientConfig(change func(*clientConfig) error) error {
	path := clientFile("config.yml")
	return withLock(path, func() error {
		c, err := readClientConfig()
		if err != nil {
			return err
		}
		if err := change(&c); err != nil {
			return err
		}
		return writeClientFile(path, c)
	})
}

// names are the contexts in order.
func (c clientConfig) names() []string {
	names := make([]string, 0, len(c.Contexts))
	for name := range c.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// find is the context of a name.
func (c clientConfig) find(name string) (serverContext, error) {
	sc, ok := c.Contexts[name]
	switch {
	case ok:
		return sc, nil
	case len(c.Contexts) == 0:
		return sc, usage.New(fmt.Errorf("no context %q: there is none yet, add one with \"dagwright context add %s URL\"", name, name))
	}
	return sc, usage.New(fmt.Errorf("no context %q; there are %s%s", name, strings.Join(c.names(), ", "), dag.DidYouMean(name, c.names())))
}

// target is the server that a command talks to.
type target struct {
	url        *url.URL
	context    string // its name, "" when the URL alone was given
	production bool
}

// String names the target for messages.
func (t target) String() string {
	if t.context == "" {
		return t.url.String()
	}
	return fmt.Sprintf("%s (context %s)", t.url, t.context)
}

// again are the flags that name the target on another command line.
func (t target) again() string {
	if t.context == "" {
		return "--server " + t.url.String()
	}
	return "--context " + t.context
}

// defaultServer is where "dagwright dev" listens.
const defaultServer = "http://127.0.0.1:8080"

// choose picks the server: a flag, then the environment, then the current
// context; of flags and of variables the URL goes first.
func (c clientConfig) choose(server, context string, getenv func(string) string) (target, error) {
	if server != "" && context != "" {
		return target{}, usage.New(errors.New("want one of --server and --context, not both"))
	}
	if server == "" && context == "" {
		server, context = getenv(serverVariable), getenv(contextVariable)
	}
	if server == "" && context == "" {
		context = c.Current
	}
	if server != "" {
		return c.byURL(server)
	}
	if context == "" {
		return c.byURL(defaultServer)
	}
	sc, err := c.find(context)
	if err != nil {
		return target{}, err
	}
	u, err := parseServer(sc.Server)
	return target{u, context, sc.Production}, err
}

// byURL is a server that was named by its URL. When a context has the same one it
// is that context, and as much a production one.
func (c clientConfig) byURL(text string) (target, error) {
	u, err := parseServer(text)
	if err != nil {
		return target{}, usage.New(err)
	}
	for _, name := range c.names() {
		known, err := parseServer(c.Contexts[name].Server)
		if err == nil && known.String() == u.String() {
			return target{u, name, c.Contexts[name].Production}, nil
		}
	}
	return target{url: u}, nil
}
