package instance

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"dagwright/auth"
	"dagwright/dag"
	"dagwright/executor/pod"
	"dagwright/store"
	"dagwright/usage"
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
	// Hosts are further names by which the instance is reached; TrustedProxies may report a
	// client's address.
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
		c.None = true // configFile allows no other word
		return nil
	}
	type plain authConfig // has no methods, so that this one is not called again
	return node.Decode((*plain)(c))
}

// check reports everything that is wrong with the section. listen is the address of the pages and publicURL where
// people reach them.
func (c authConfig) check(f *configFile, listen, publicURL string, tls bool) {
	_, err := c.proxies()
	f.want(err == nil, "auth.trusted_proxies", reasonOf(err))
	if c.None {
		f.want(LoopbackAddress(listen), "listen",
			fmt.Sprintf("%q is not a loopback address, and auth is none; want 127.0.0.1:8080 or the like", listen))
		return
	}
	if c.OIDC.Issuer == "" {
		f.fault("auth",
			`want a section with oidc (docs/auth.md shows one), or in words "none", by which anybody who reaches the address may do everything: that is allowed on loopback only`)
		return
	}
	c.checkAddresses(f, LoopbackAddress(listen), publicURL, tls)
	f.want(c.OIDC.ClientID != "", "auth.oidc.client_id",
		"want the name by which the identity provider knows this instance")
	f.want(c.KeyFile != "", "auth.key_file", "want a file with a key, such as made by: openssl rand -hex 32")
	f.want((c.RulesFile == "") != (c.Rules.node == nil), "auth", "want exactly one of rules_file and rules")
	f.want(c.Kubernetes.Context == "" || c.Kubernetes.Kubeconfig != "", "auth.kubernetes.context",
		"names a context, but there is no kubeconfig")
	f.want(!f.has("auth.kubernetes") || len(c.Kubernetes.Audiences) > 0, "auth.kubernetes",
		"want audiences, such as [dagwright]: without them no service account is let in")
	if c.Rules.node != nil {
		f.rules(c.Rules.node)
	}
}

// checkAddresses reports what is wrong with the addresses that a sign-in goes through.
func (c authConfig) checkAddresses(f *configFile, loopback bool, publicURL string, tls bool) {
	f.want(publicURL != "", "public_url",
		"want the address by which people reach the pages, such as https://dagwright.example.com")
	f.want(strings.Count(strings.TrimSuffix(publicURL, "/"), "/") <= 2, "public_url",
		"want an address without a path: the pages stand at the root of their host")
	f.want(loopback || publicURL == "" || strings.HasPrefix(publicURL, "https://"), "public_url",
		"want https, since listen is not a loopback address: set tls, or put a proxy in front that speaks https")
	f.want(loopback || strings.HasPrefix(c.OIDC.Issuer, "https://"), "auth.oidc.issuer",
		"want https, since listen is not a loopback address")
	f.want(!tls || strings.HasPrefix(publicURL, "https://"), "public_url", "want https, since tls is set")
}

// rules reports the faults of the rules that stand in the file.
func (f *configFile) rules(list *yaml.Node) {
	_, err := auth.ParseRuleList(f.name, list)
	var faults dag.SpecErrors
	errors.As(err, &faults)
	for _, e := range faults {
		f.faults = append(f.faults,
			&dag.SpecError{File: e.File, Line: e.Line, Column: e.Column, Path: "auth." + e.Path, Reason: e.Reason})
	}
}

// proxies reads the addresses of proxies, alone or as networks.
func (c authConfig) proxies() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range c.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", text)
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

// The requests a second, and at once, by which Kubernetes is asked whose tokens are: who
// sends one need not be known.
const (
	reviewQPS   = 100
	reviewBurst = 200
)

// open opens the service. publicURL has no slash at its end.
// wrap goes around the transport of requests to the identity provider.
func (a authSettings) open(s *store.Store, publicURL string, logger *slog.Logger,
	wrap func(http.RoundTripper) http.RoundTripper) (*auth.Service, error) {
	proxies, err := a.proxies()
	if err != nil {
		return nil, err
	}
	c := auth.Config{Store: s, Logger: logger, PublicURL: publicURL, Hosts: a.Hosts, Proxies: proxies}
	if a.OIDC.Issuer == "" {
		return auth.New(c)
	}
	if c.Provider, err = a.provider(publicURL, wrap); err != nil {
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
		reviews, err := pod.DialReviews(pod.Access{Kubeconfig: a.Kubernetes.Kubeconfig, Context: a.Kubernetes.Context,
			QPS: reviewQPS, Burst: reviewBurst})
		if err != nil {
			return nil, usage.New(fmt.Errorf("auth.kubernetes: %w", err))
		}
		c.Reviews, c.ReviewAudiences = reviews, audiences
	}
	service, err := auth.New(c)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return service, nil
}

func (a authSettings) provider(publicURL string, wrap func(http.RoundTripper) http.RoundTripper) (*auth.Provider, error) {
	c := auth.ProviderConfig{
		Issuer: a.OIDC.Issuer, ClientID: a.OIDC.ClientID, ClientSecret: a.clientSecret, Scopes: a.OIDC.Scopes,
		GroupsClaim: a.OIDC.GroupsClaim, NameClaim: a.OIDC.NameClaim, CLIClientID: a.OIDC.CLIClientID,
		Audiences:   a.OIDC.Audiences,
		RedirectURL: publicURL + "/auth/callback", LogoutURL: publicURL + "/login", Wrap: wrap,
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
		rules, err := auth.OpenRules(a.RulesFile, logger)
		if err != nil {
			return nil, usage.New(err)
		}
		return rules, nil
	}
	rules, err := auth.ParseRuleList(a.file, a.Rules.node)
	return auth.FixedRules(rules), err
}
