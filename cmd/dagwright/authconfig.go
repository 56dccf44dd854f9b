package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/executor/pod"
	"dagwright/store"
)

// authConfig is the section "auth" of the configuration file: the word "none", or how
// people sign in.
type authConfig struct {
	// None asks nobody, which is for loopback addresses only.
	None       bool             `yaml:"-"`
	OIDC       oidcConfig       `yaml:"oidc"`
	KeyFile    string           `yaml:"key_file"`
	RulesFile  string           `yaml:"rules_file"`
	Rules      ruleList         `yaml:"rules"`
	Sessions   sessionsConfig   `yaml:"sessions"`
	Tokens     apiTokensConfig  `yaml:"tokens"`
	Kubernetes reviewAuthConfig `yaml:"kubernetes"`
	// Hosts are further names by which the instance is reached; TrustedProxies may tell
	// of a client's address.
	Hosts          []string `yaml:"hosts"`
	TrustedProxies []string `yaml:"trusted_proxies"`
}

type oidcConfig struct {
	Issuer           string   `yaml:"issuer"`
	ClientID         string   `yaml:"client_id"`
	ClientSecretFile string   `yaml:"client_secret_file"`
	Button           string   `yaml:"button"`
	Scopes           []string `yaml:"scopes"`
	GroupsClaim      string   `yaml:"groups_claim"`
	NameClaim        string   `yaml:"name_claim"`
	CLIClientID      string   `yaml:"cli_client_id"`
	Audiences        []string `yaml:"audiences"`
	CAFile           string   `yaml:"ca_file"`
}

type sessionsConfig struct {
	Idle    time.Duration `yaml:"idle"`
	Life    time.Duration `yaml:"life"`
	Refresh time.Duration `yaml:"refresh"`
}

type apiTokensConfig struct {
	// MaxDays is the longest life; ConfirmDays is for how long a personal token works
	// since its owner was seen by the identity provider.
	MaxDays     int `yaml:"max_days"`
	ConfirmDays int `yaml:"confirm_days"`
}

type reviewAuthConfig struct {
	Audiences  []string `yaml:"audiences"`
	Kubeconfig string   `yaml:"kubeconfig"`
	Context    string   `yaml:"context"`
}

// ruleList keeps rules as they stand in the file until its name is known.
type ruleList struct{ node *yaml.Node }

// UnmarshalYAML keeps the node.
func (l *ruleList) UnmarshalYAML(node *yaml.Node) error { //nolint:unparam // yaml's signature
	l.node = node
	return nil
}

// UnmarshalYAML reads the word "none" or the section.
func (c *authConfig) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		if node.Value != "none" {
			return fmt.Errorf(`line %d: auth: want "none", or a section with oidc (docs/auth.md)`, node.Line)
		}
		c.None = true
		return nil
	}
	if err := knownKeys(node, authKeys, ""); err != nil {
		return err
	}
	type plain authConfig // has no methods, so that this one is not called again
	return node.Decode((*plain)(c))
}

// authKeys are the keys of the section and of those in it. A value that decodes itself
// has to look at its keys itself.
var authKeys = map[string][]string{
	"":           {"oidc", "key_file", "rules_file", "rules", "sessions", "tokens", "kubernetes", "hosts", "trusted_proxies"},
	"oidc":       {"issuer", "client_id", "client_secret_file", "button", "scopes", "groups_claim", "name_claim", "cli_client_id", "audiences", "ca_file"},
	"sessions":   {"idle", "life", "refresh"},
	"tokens":     {"max_days", "confirm_days"},
	"kubernetes": {"audiences", "kubeconfig", "context"},
}

func knownKeys(node *yaml.Node, keys map[string][]string, section string) error {
	known, ok := keys[section]
	if !ok || node.Kind != yaml.MappingNode {
		return nil
	}
	var errs []error
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		found := false
		for _, k := range known {
			found = found || k == key.Value
		}
		if !found {
			errs = append(errs, fmt.Errorf("line %d: unknown key %q%s", key.Line, key.Value, dag.DidYouMean(key.Value, known)))
		} else if section == "" {
			errs = append(errs, knownKeys(node.Content[i+1], keys, key.Value))
		}
	}
	return errors.Join(errs...)
}

// check names everything that is wrong with the section. file is the configuration
// file, listen the address of the pages and publicURL where people reach them.
func (c authConfig) check(file, listen, publicURL string, tls bool) error {
	var errs []error
	want := func(ok bool, text string) {
		if !ok {
			errs = append(errs, errors.New(text))
		}
	}
	_, err := c.proxies()
	if err != nil {
		errs = append(errs, err)
	}
	if c.None {
		want(loopbackAddress(listen), fmt.Sprintf("listen: %q is no loopback address, and auth is none; want 127.0.0.1:8080 or the like", listen))
		return errors.Join(errs...)
	}
	if c.OIDC.Issuer == "" {
		return errors.New(`auth: want a section with oidc (docs/auth.md shows one), or in words "none", by which anybody who reaches the address may do everything: that is allowed on loopback only`)
	}
	loopback := loopbackAddress(listen)
	want(webAddress(c.OIDC.Issuer), "auth.oidc.issuer: want the identity provider's address, such as https://keycloak.example.com/realms/platform")
	want(c.OIDC.ClientID != "", "auth.oidc.client_id: want the name by which the identity provider knows this instance")
	want(c.KeyFile != "", "auth.key_file: want a file with a key, such as made by: openssl rand -hex 32")
	want((c.RulesFile == "") != (c.Rules.node == nil), "auth: want exactly one of rules_file and rules")
	want(publicURL != "", "public_url: want the address by which people reach the pages, such as https://dagwright.example.com")
	want(strings.Count(strings.TrimSuffix(publicURL, "/"), "/") <= 2, "public_url: want an address without a path: the pages stand at the root of their host")
	want(loopback || publicURL == "" || strings.HasPrefix(publicURL, "https://"), "public_url: want https, since listen is no loopback address: set tls, or put a proxy in front that speaks https")
	want(loopback || strings.HasPrefix(c.OIDC.Issuer, "https://"), "auth.oidc.issuer: want https, since listen is no loopback address")
	want(!tls || strings.HasPrefix(publicURL, "https://"), "public_url: want https, since tls is set")
	for name, d := range map[string]time.Duration{"idle": c.Sessions.Idle, "life": c.Sessions.Life, "refresh": c.Sessions.Refresh} {
		want(d >= 0, "auth.sessions."+name+": want a time such as 8h, or leave it out")
	}
	want(c.Tokens.MaxDays >= 0 && c.Tokens.ConfirmDays >= 0, "auth.tokens: want numbers of days")
	want(c.Kubernetes.Context == "" || c.Kubernetes.Kubeconfig != "", "auth.kubernetes.context: names a context, but there is no kubeconfig")
	if c.Rules.node != nil {
		if _, err := auth.ParseRuleList(file, c.Rules.node); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// proxies reads the addresses of proxies, alone or as networks.
func (c authConfig) proxies() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range c.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("auth.trusted_proxies: %q is no address and no network such as 10.0.0.0/8", text)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		all = append(all, p)
	}
	return all, nil
}

// authSettings is the section with its secrets read.
type authSettings struct {
	authConfig
	file              string
	clientSecret, key dag.Secret
}

// open opens the service. publicURL has no slash at its end.
func (a authSettings) open(s *store.Store, publicURL string, logger *slog.Logger) (*auth.Service, error) {
	proxies, err := a.proxies()
	if err != nil {
		return nil, err
	}
	c := auth.Config{Store: s, Logger: logger, PublicURL: publicURL, Hosts: a.Hosts, Proxies: proxies}
	if a.OIDC.Issuer == "" {
		return auth.New(c)
	}
	if c.Provider, err = a.provider(publicURL); err != nil {
		return nil, err
	}
	if c.Rules, err = a.rules(logger); err != nil {
		return nil, err
	}
	c.Key, c.Label = a.key, a.OIDC.Button
	c.Idle, c.Life, c.Refresh = a.Sessions.Idle, a.Sessions.Life, a.Sessions.Refresh
	const day = 24 * time.Hour
	c.TokenLife, c.ConfirmAge = time.Duration(a.Tokens.MaxDays)*day, time.Duration(a.Tokens.ConfirmDays)*day
	if audiences := a.Kubernetes.Audiences; len(audiences) > 0 {
		reviews, err := pod.DialReviews(pod.Access{Kubeconfig: a.Kubernetes.Kubeconfig, Context: a.Kubernetes.Context, QPS: defaultQPS, Burst: defaultBurst})
		if err != nil {
			return nil, fmt.Errorf("auth.kubernetes: %w", err)
		}
		c.Reviews, c.ReviewAudiences = reviews, audiences
	}
	service, err := auth.New(c)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return service, nil
}

func (a authSettings) provider(publicURL string) (*auth.Provider, error) {
	c := auth.ProviderConfig{
		Issuer: a.OIDC.Issuer, ClientID: a.OIDC.ClientID, ClientSecret: a.clientSecret, Scopes: a.OIDC.Scopes,
		GroupsClaim: a.OIDC.GroupsClaim, NameClaim: a.OIDC.NameClaim, CLIClientID: a.OIDC.CLIClientID, Audiences: a.OIDC.Audiences,
		RedirectURL: publicURL + "/auth/callback", LogoutURL: publicURL + "/login",
	}
	if a.OIDC.CAFile != "" {
		var err error
		if c.CA, err = os.ReadFile(a.OIDC.CAFile); err != nil {
			return nil, fmt.Errorf("auth.oidc.ca_file: %w", err)
		}
	}
	p, err := auth.NewProvider(c)
	if err != nil {
		return nil, fmt.Errorf("auth.oidc.ca_file: %w", err)
	}
	return p, nil
}

func (a authSettings) rules(logger *slog.Logger) (*auth.RulesFile, error) {
	if a.RulesFile != "" {
		return auth.OpenRules(a.RulesFile, logger)
	}
	rules, err := auth.ParseRuleList(a.file, a.Rules.node)
	return auth.FixedRules(rules), err
}
