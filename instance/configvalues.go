package instance

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dagwright/generator"
	"dagwright/gitlab"
	"dagwright/gitrepo"
	"dagwright/registry"
)

// configValue says of one key of the configuration file what may stand there, beside its type.
type configValue struct {
	want  string            // in words, behind "want"
	empty bool              // whether "" or [] may stand there: for texts as if the key were left out
	zero  bool              // whether 0 may; negative numbers never do
	least time.Duration     // of a time
	words []string          // of a text: the words that there are; nil leaves it to ok
	ok    func(string) bool // of a text, or each of a list; nil takes any that is not empty
	name  func(string) bool // of each name of a mapping; nil takes any that is not empty
}

// configValues has each key that is not a section, by its path.
var configValues = withLists(map[string]configValue{
	"listen":          {want: `an address such as "127.0.0.1:8080" or ":8080"`, ok: listenAddress},
	"probes":          {want: `an address such as ":8081"`, ok: listenAddress},
	"environment":     {want: "a name such as DEV"},
	"public_url":      {want: "an address such as https://dagwright.example.com", ok: WebAddress},
	"production":      {want: "true or false"},
	"sibling.name":    {want: "the name of the other instance, such as PROD"},
	"sibling.url":     {want: "the address of the other instance, such as https://dagwright.example.com", ok: WebAddress},
	"tls.cert_file":   {want: "the file of a certificate"},
	"tls.key_file":    {want: "the file of the certificate's key"},
	"database":        {want: "sqlite:PATH, or a postgres:// URL", ok: databaseAddress},
	"database_file":   {want: "a file with a postgres:// URL"},
	"data":            {want: "a folder"},
	"auth.key_file":   {want: "a file with a key, such as made by: openssl rand -hex 32"},
	"auth.rules_file": {want: "a file of rules (docs/auth.md)"},
	"auth.rules":      {want: "a list of rules (docs/auth.md)"},
	"auth.hosts":      {want: "names of hosts", empty: true},
	"auth.trusted_proxies": {
		want: "addresses, or networks such as 10.0.0.0/8", empty: true,
	},
	"auth.oidc.issuer": {want: "the identity provider's address, such as https://keycloak.example.com/realms/platform",
		ok: WebAddress},
	"auth.oidc.client_id":          {want: "the name by which the identity provider knows this instance"},
	"auth.oidc.client_secret_file": {want: "a file with the client's secret"},
	"auth.oidc.button":             {want: "the text of a button", empty: true},
	"auth.oidc.scopes":             {want: "names of scopes, such as [openid, profile, email]"},
	"auth.oidc.groups_claim":       {want: "the name of a claim, such as groups"},
	"auth.oidc.name_claim":         {want: "the name of a claim, such as preferred_username", empty: true},
	"auth.oidc.cli_client_id":      {want: "the name by which the identity provider knows the command line", empty: true},
	"auth.oidc.audiences":          {want: "audiences of the provider's tokens, such as [dagwright-cli]"},
	"auth.oidc.ca_file":            {want: "a file of certificates", empty: true},
	"auth.sessions.idle":           {want: "a time such as 8h, of 1m or more", least: time.Minute},
	"auth.sessions.life":           {want: "a time such as 24h, of 1m or more", least: time.Minute},
	"auth.sessions.refresh":        {want: "a time such as 5m, of 1s or more", least: time.Second},
	"auth.tokens.max_days":         {want: "a number of days from 1"},
	"auth.tokens.confirm_days":     {want: "a number of days from 1"},
	"auth.kubernetes.audiences":    {want: "audiences of service accounts' tokens, such as [dagwright]"},
	"auth.kubernetes.kubeconfig":   {want: "a kubeconfig file", empty: true},
	"auth.kubernetes.context":      {want: "the name of a context of the kubeconfig", empty: true},

	"dag_repository.url":           {want: "the URL or path of the DAG repository"},
	"dag_repository.branch":        {want: "the name of a branch, such as main", ok: branchName},
	"dag_repository.project":       {want: "its GitLab path, such as gbc/airflow-dev"},
	"dag_repository.username":      {want: "the name of a user"},
	"dag_repository.password_file": {want: "a file with a password or token"},
	"dag_repository.deliver":       {want: `"push" or "merge_request"`, words: []string{"push", "merge_request"}},
	"dag_repository.auto_merge":    {want: "true or false"},
	"dag_repository.loader":        {want: "true or false"},
	"gitlab.url":                   {want: "GitLab's address, such as https://gitlab.example.com", ok: gitlabAddress},
	"gitlab.token_file":            {want: "a file with an access token"},
	"gitlab.groups": {want: "a list of groups, such as [gbc], or the word any, which takes models of every project that there is",
		empty: true},
	"gitlab.projects":      {want: "a list of projects, such as [gbc/risk/churn-model]", empty: true},
	"gitlab.reconcile":     {want: "a time such as 5m, of 1s or more", least: time.Second},
	"webhook.secret_files": {want: "at least one file with a secret"},
	"webhook.previews":     {want: "true or false"},

	"models.branches.scoring":       {want: "the name of a branch, such as main", ok: branchName},
	"models.branches.retrain":       {want: "the name of a branch, such as retrain", ok: branchName},
	"models.registry":               {want: "the image registry, such as registry.example.com", ok: registryHost},
	"models.timezone":               {want: "the name of a time zone, such as Europe/Berlin", ok: timeZone},
	"models.templates":              {want: "a folder of templates", empty: true},
	"models.registry_username":      {want: "the name of a user who may read the registry", empty: true},
	"models.registry_password_file": {want: "a file with that user's password", empty: true},
	"models.wait_for":               {want: `"pipeline", "image" or "none"`, words: []string{"pipeline", "image", "none"}},
	"models.wait_stages":            {want: "names of stages, such as [build]"},
	"models.profiles": {
		want:  "names with kinds of pods, such as {gpu-small: {node_selector: {pool: gpu}}}",
		empty: true, name: offerName,
	},
	"models.volumes": {
		want:  "names with volumes, such as {models: {persistent_volume_claim: models}}",
		empty: true, name: offerName,
	},
	"models.secrets": {
		want: `names of secrets by project or group, or "*", such as {gbc/risk: [risk-*]}`, empty: true,
		name: secretsFor, ok: secretPattern.MatchString,
	},
	"models.allow_pod": {
		want:  "arguments of the operator, of " + strings.Join(generator.OfferedArguments(), ", "),
		empty: true, ok: offeredArgument,
	},

	"variables.values": {
		want: `names with values, such as {bucket: "s3://models"}`, empty: true, name: variableName,
	},
	"variables.files": {want: "folders with a file for each variable, or .json and .yaml files of many", empty: true},
	"variables.projects": {
		want: `names of variables by project or group, or "*", such as {gbc/risk: [risk_*]}`, empty: true,
		name: secretsFor, ok: variableName,
	},
	"variables.dags": {
		want:  `names of variables by the ids of DAGs that were written by hand, such as {"nightly-*": [bucket]}`,
		empty: true, ok: variableName,
	},

	"models.defaults.retries":     {want: "a number of tries from 0", zero: true},
	"models.defaults.retry_delay": {want: "a time such as 90s, 5m, 2h or 1d, or 0"},
	"models.defaults.timeout":     {want: "a time such as 90s, 5m, 2h or 1d, or 0 for no limit"},
	"models.defaults.run_timeout": {want: "a time such as 90s, 5m, 2h or 1d, or 0 for no limit"},

	"models.profiles.*.node_selector": {
		want:  "labels of nodes with their values, such as {pool: gpu}",
		empty: true,
	},
	"models.profiles.*.labels": {
		want:  "labels of pods with their values, such as {team: risk}",
		empty: true,
	},
	"models.profiles.*.runtime_class_name":  {want: "the name of a runtime class, such as nvidia"},
	"models.profiles.*.priority_class_name": {want: "the name of a priority class, such as batch"},
	"models.profiles.*.tolerations": {
		want: "a list of tolerations, such as [{key: gpu, operator: Exists}]",
	},
	"models.profiles.*.tolerations.key":      {want: "the key of a taint"},
	"models.profiles.*.tolerations.operator": {want: "Exists or Equal", words: []string{"Exists", "Equal"}},
	"models.profiles.*.tolerations.value":    {want: "the value of a taint", empty: true},
	"models.profiles.*.tolerations.effect": {
		want:  "NoSchedule, PreferNoSchedule or NoExecute",
		words: []string{"NoSchedule", "PreferNoSchedule", "NoExecute"},
	},
	"models.profiles.*.tolerations.tolerationSeconds": {want: "a number of seconds from 1"},
	"models.volumes.*.persistent_volume_claim":        {want: "the name of a claim in the pods' namespace"},
	"models.volumes.*.read_only":                      {want: "true or false"},
	"models.volumes.*.sub_path":                       {want: `a folder of the volume, such as "{project}"`},

	"scheduler.executor":               {want: `"process" or "kubernetes"`, words: []string{"process", "kubernetes"}},
	"scheduler.poll":                   {want: "a time such as 30s, of 1s or more", least: time.Second},
	"scheduler.max_active_tasks":       {want: "a number of tasks from 1 to 100000"},
	"scheduler.infrastructure_retries": {want: "a number of tries, 0 or more", zero: true},

	"kubernetes.kubeconfig":      {want: "a kubeconfig file", empty: true},
	"kubernetes.context":         {want: "the name of a context of the kubeconfig", empty: true},
	"kubernetes.namespace":       {want: "the namespace of the tasks' pods"},
	"kubernetes.instance":        {want: "a name that no other dagwright in the cluster has, such as prod"},
	"kubernetes.qps":             {want: "requests a second, more than 0, such as 100"},
	"kubernetes.burst":           {want: "a number of requests from 1, such as 200"},
	"kubernetes.startup_timeout": {want: "a time such as 2m, of 1s or more", least: time.Second},

	"kubernetes.policy.pod_security": {want: "restricted, baseline or privileged",
		words: []string{"restricted", "baseline", "privileged"}},
	"kubernetes.policy.service_account_token": {want: "true or false"},
	"kubernetes.policy.max_resources":         {want: `resources with quantities, such as {cpu: "8", memory: 32Gi}`},
	"kubernetes.policy.node_selector": {want: "labels of nodes with their values, such as {pool: models}",
		empty: true},
	"kubernetes.policy.require_limits":   {want: "names of resources, such as [memory]", empty: true},
	"kubernetes.policy.require_requests": {want: "names of resources, such as [cpu]", empty: true},

	"logs.bucket":            {want: "s3://bucket/prefix or file:///folder"},
	"logs.retention":         {want: "a time to keep logs, such as 30d or 720h, or 0 for ever"},
	"logs.dags":              {want: `DAGs with times, such as {"churn-*": 90d, audit-model: 0}`},
	"logs.mask_files":        {want: "files or folders", empty: true},
	"logs.max_bytes_per_try": {want: "a number of bytes such as 256Mi or 10Gi, or 0 for no limit"},
	"logs.max_bytes":         {want: "a number of bytes such as 256Mi or 10Gi, or 0 for no limit"},
	"logs.min_free":          {want: "a number of bytes such as 512Mi, or 0 for no limit"},

	"promotion.only_promoted": {want: "true or false"},
})

// takes reports whether a text that is not empty may stand at the key, or in its list.
func (v configValue) takes(text string) bool {
	return (v.words == nil || slices.Contains(v.words, text)) && (v.ok == nil || v.ok(text))
}

// withLists adds the keys that are alike in several places.
func withLists(values map[string]configValue) map[string]configValue {
	for _, list := range []string{
		"namespaces", "service_accounts", "registries", "node_labels", "tolerations", "priority_classes", "runtime_classes",
		"schedulers", "resource_claims", "volume_claims", "storage_classes", "csi_drivers", "csi_attributes", "node_profiles",
		"labels", "annotations", "secrets", "config_maps",
	} {
		values["kubernetes.policy."+list] = configValue{
			want: "a list of names, of which one that ends in * stands for all that begin so", empty: true,
		}
	}
	for _, section := range []string{"models.defaults", "models.profiles.*"} {
		for _, key := range []string{"requests", "limits"} {
			values[section+".resources."+key] = configValue{
				want: "resources with quantities, such as {memory: 4Gi}", empty: true,
			}
		}
	}
	for _, section := range []string{"promotion.", "promotion.from."} {
		for _, key := range []string{"url", "branch", "project", "username", "password_file"} {
			values[section+key] = values["dag_repository."+key]
		}
		values[section+"overlay.namespace"] = configValue{want: "a namespace"}
		values[section+"overlay.images"] = configValue{
			want: "beginnings of images with what replaces them, such as {registry.example.com: registry.prod.example.com}",
		}
		values[section+"overlay.resources"] = configValue{
			want: "requests and limits, such as {limits: {memory: 4Gi}}", name: oneWord("requests", "limits"),
		}
		values[section+"overlay.tags"] = configValue{want: "tags, such as [prod]"}
	}
	return values
}

// ruleOf is what configValues says of a key. Below a section that has names of the operator's
// choice, "*" stands for each of them there; an element of a list is as the list.
func ruleOf(path string) configValue {
	for _, section := range []string{"models.secrets", "variables.projects", "variables.dags"} {
		if strings.HasPrefix(path, section+".") { // the names are paths, or ids
			path = section
		}
	}
	for _, section := range []string{"models.profiles.", "models.volumes."} {
		if rest, ok := strings.CutPrefix(path, section); ok {
			_, key, _ := strings.Cut(rest, ".")
			path = section + "*." + key
		}
	}
	return configValues[listIndex.ReplaceAllString(path, "")]
}

var (
	listIndex    = regexp.MustCompile(`\[\d+\]`)
	offerPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// offerName reports whether a profile or a volume can have a name: a volume's is its name in
// pods, too.
func offerName(s string) bool { return offerPattern.MatchString(s) }

func offeredArgument(s string) bool { return slices.Contains(generator.OfferedArguments(), s) }

func oneWord(words ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(words, s) }
}

func listenAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	n, wrong := strconv.ParseUint(port, 10, 16)
	return err == nil && wrong == nil && n <= 65535
}

func databaseAddress(s string) bool {
	path, sqlite := strings.CutPrefix(s, "sqlite:")
	return sqlite && path != "" || strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://")
}

func branchName(s string) bool { return gitrepo.CheckBranch(s) == nil }

func gitlabAddress(s string) bool {
	_, err := gitlab.Dial(gitlab.Config{BaseURL: s})
	return err == nil
}

func registryHost(s string) bool {
	_, err := registry.New(registry.Config{Host: s})
	return err == nil
}

func timeZone(s string) bool {
	_, err := time.LoadLocation(s)
	return err == nil && s != "Local"
}
