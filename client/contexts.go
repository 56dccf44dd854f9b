package client

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

// Variables that name the server when a caller does not.
const (
	ServerVariable  = "DAGWRIGHT_SERVER"  // a URL
	ContextVariable = "DAGWRIGHT_CONTEXT" // the name of a context
)

// Contexts is what the command line keeps of a person: the servers that they
// use, by name. Tokens are in a file of their own.
type Contexts struct {
	Current  string             `yaml:"current,omitempty"`  // the name of the one that is used
	Contexts map[string]Context `yaml:"contexts,omitempty"` // by name
}

// Context is a server that has a name.
type Context struct {
	Server string `yaml:"server" json:"server"` // its URL
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

// ReadContexts reads the contexts; none when there is no file.
func ReadContexts() (Contexts, error) {
	var c Contexts
	path := clientFile("config.yml")
	if err := readClientFile(path, &c); err != nil {
		return c, err
	}
	for name, sc := range c.Contexts {
		if err := sc.Check(name); err != nil {
			return c, usage.New(fmt.Errorf("%s: context %s: %w", path, name, err))
		}
	}
	return c, nil
}

// Check says what is wrong with a context of the given name.
func (sc Context) Check(name string) error {
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
		return nil, fmt.Errorf("server %q: want a URL without user, query and fragment; tokens come by \"dagwright login\"",
			u.Redacted())
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

// ChangeContexts reads, changes and writes the contexts, one process at a
// time.
func ChangeContexts(change func(*Contexts) error) error {
	path := clientFile("config.yml")
	return withLock(path, func() error {
		c, err := ReadContexts()
		if err != nil {
			return err
		}
		if err := change(&c); err != nil {
			return err
		}
		return writeClientFile(path, c)
	})
}

// Names are the names of the contexts in order.
func (c Contexts) Names() []string {
	names := make([]string, 0, len(c.Contexts))
	for name := range c.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Find is the context of a name. The error lists the names that there are.
func (c Contexts) Find(name string) (Context, error) {
	sc, ok := c.Contexts[name]
	switch {
	case ok:
		return sc, nil
	case len(c.Contexts) == 0:
		return sc, usage.New(fmt.Errorf("no context %q: there is none yet, add one with \"dagwright context add %s URL\"",
			name, name))
	}
	return sc, usage.New(fmt.Errorf("no context %q; there are %s%s", name, strings.Join(c.Names(), ", "),
		dag.DidYouMean(name, c.Names())))
}

// Server is a server to talk to.
type Server struct {
	URL        *url.URL
	Context    string // the name of its context, "" when there is none
	Production bool   // asks for confirmation of dangerous acts
}

// ParseServer reads a server's URL, such as https://dagwright.example.com.
func ParseServer(address string) (Server, error) {
	u, err := parseServer(address)
	return Server{URL: u}, err
}

// String names the server for messages.
func (t Server) String() string {
	if t.Context == "" {
		return t.URL.String()
	}
	return fmt.Sprintf("%s (context %s)", t.URL, t.Context)
}

// Flags are the flags that name the server on another command line.
func (t Server) Flags() string {
	if t.Context == "" {
		return "--server " + t.URL.String()
	}
	return "--context " + t.Context
}

// DefaultServer is where "dagwright dev" listens.
const DefaultServer = "http://127.0.0.1:8080"

// FindServer is the server of a URL or of a context's name, as [Dial] finds it.
func FindServer(server, context string) (Server, error) {
	all, err := ReadContexts()
	if err != nil {
		return Server{}, err
	}
	return all.Choose(server, context, os.Getenv)
}

// Choose picks the server: the given URL or context, then the environment's, then the
// current context; of the variables the URL goes first. Both a URL and a context are an
// error, as is a context that there is not.
func (c Contexts) Choose(server, context string, getenv func(string) string) (Server, error) {
	if server != "" && context != "" {
		return Server{}, usage.New(errors.New("want one of --server and --context, not both"))
	}
	if server == "" && context == "" {
		server, context = getenv(ServerVariable), getenv(ContextVariable)
	}
	if server == "" && context == "" {
		context = c.Current
	}
	if server != "" {
		return c.ByURL(server)
	}
	if context == "" {
		return c.ByURL(DefaultServer)
	}
	sc, err := c.Find(context)
	if err != nil {
		return Server{}, err
	}
	u, err := parseServer(sc.Server)
	return Server{u, context, sc.Production}, err
}

// ByURL is a server that was named by its URL. When a context has the same one it
// is that context, and as much a production one.
func (c Contexts) ByURL(text string) (Server, error) {
	u, err := parseServer(text)
	if err != nil {
		return Server{}, usage.New(err)
	}
	for _, name := range c.Names() {
		known, err := parseServer(c.Contexts[name].Server)
		if err == nil && known.String() == u.String() {
			return Server{u, name, c.Contexts[name].Production}, nil
		}
	}
	return Server{URL: u}, nil
}
