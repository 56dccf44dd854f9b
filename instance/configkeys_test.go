package instance

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"dagwright/dag"
	"dagwright/usage"
)

// configLeaves lists the keys of the configuration file that are not sections, with their types.
func configLeaves(t reflect.Type, path string) (leaves []configField) {
	for _, f := range fieldsOf(t) {
		key := joinKey(path, f.key)
		_, known := configValues[key]
		if f.of.Kind() == reflect.Struct && !known {
			leaves = append(leaves, configLeaves(f.of, key)...)
			continue
		}
		leaves = append(leaves, configField{key, f.of})
	}
	return leaves
}

// withKey is the least configuration with a value at a key.
func withKey(t *testing.T, key, value string) string {
	t.Helper()
	base := minimalConfig
	if strings.HasPrefix(key, "auth.") {
		base = besideAuth + signInFile
	}
	var doc, node yaml.Node
	if err := yaml.Unmarshal([]byte(base), &doc); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(value), &node); err != nil {
		t.Fatal(err)
	}
	n := doc.Content[0]
	parts := strings.Split(key, ".")
	for i, part := range parts {
		if i == len(parts)-1 {
			setNode(n, part, node.Content[0])
			break
		}
		next := valueOf(n, part)
		if next == nil {
			next = &yaml.Node{Kind: yaml.MappingNode}
			setNode(n, part, next)
		}
		n = next
	}
	text, err := yaml.Marshal(&doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func setNode(n *yaml.Node, key string, value *yaml.Node) {
	if old := valueOf(n, key); old != nil {
		*old = *value
		return
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
}

// TestEveryKeyRefusesWhatCannotWork gives each key of the configuration file values that cannot be one: the message
// names file, line and key, and says what would be right.
func TestEveryKeyRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	leaves := configLeaves(reflect.TypeFor[Config](), "")
	if len(leaves) < 80 {
		t.Fatalf("%d keys were found", len(leaves))
	}
	for _, leaf := range leaves {
		rule, ok := configValues[leaf.key]
		if !ok || rule.want == "" {
			t.Errorf("configValues lacks %s", leaf.key)
			continue
		}
		wrong := map[string]string{"a section": "{x: {y: 1}}", "nothing": "", "nothing in quotes": `""`,
			"a list in a list": "[[x]]"}
		if rule.empty {
			delete(wrong, "nothing in quotes")
		}
		if leaf.key == "variables.values" {
			delete(wrong, "a section") // a variable may be JSON
		}
		switch leaf.of.Kind() {
		case reflect.Int, reflect.Int64, reflect.Float64:
			for _, v := range []string{"-1", "-1s", "many", "1e99", "true", "30 s"} {
				wrong[v] = v
			}
		case reflect.Bool:
			wrong["a word"] = "maybe"
		case reflect.Slice:
			wrong["a text"] = "x"
			wrong["an empty text"] = `[""]`
		}
		for name, value := range wrong {
			if name == "nothing" {
				value = "~"
			}
			_, fault := readConfig(t, withKey(t, leaf.key, value))
			// A part of the value may be named: auth.hosts[0].
			line := regexp.MustCompile(`(?m)^FILE:\d+:\d+: ` + regexp.QuoteMeta(leaf.key) + `[^: ]*: .*want `)
			if !line.MatchString(fault) {
				t.Errorf("%s, %s: %q", leaf.key, name, fault)
			}
		}
	}
}

// TestEmptyStandsForLeftOut reads "" and [] at the keys that may have them.
func TestEmptyStandsForLeftOut(t *testing.T) {
	t.Parallel()
	for _, leaf := range configLeaves(reflect.TypeFor[Config](), "") {
		if !configValues[leaf.key].empty || strings.HasPrefix(leaf.key, "auth.kubernetes.") || leaf.key == "gitlab.groups" {
			continue
		}
		value := map[reflect.Kind]string{reflect.Slice: "[]", reflect.Map: "{}", reflect.String: `""`}[leaf.of.Kind()]
		if _, fault := readConfig(t, withKey(t, leaf.key, value)); fault != "" {
			t.Errorf("%s: %s: %s", leaf.key, value, fault)
		}
	}
}

// TestConfigurationRefusals holds the messages about values and sections that cannot work.
func TestConfigurationRefusals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"webhook: {secret_files: [x], previews: true}":                  "FILE:7:40: webhook.previews: needs gitlab.token_file: notes are written with its token",
		"dag_repository: {url: x, project: g/d, username: u}":           "FILE:5:50: dag_repository.username: needs password_file beside it",
		"dag_repository: {url: x, project: g/d, branch: a..b}":          `FILE:5:48: dag_repository.branch: is "a..b"; want the name of a branch, such as main`,
		"dag_repository: {url: x, project: g/d, deliver: mail}":         `FILE:5:49: dag_repository.deliver: is "mail"; want "push" or "merge_request"`,
		"scheduler: {poll: -1s}":                                        `FILE:9:19: scheduler.poll: is "-1s"; want a time such as 30s, of 1s or more`,
		"scheduler: {poll: 0s}":                                         `FILE:9:19: scheduler.poll: is "0s"`,
		"scheduler: {poll: 30}":                                         `FILE:9:19: scheduler.poll: is "30"`,
		"scheduler: {max_active_tasks: 0}":                              `FILE:9:31: scheduler.max_active_tasks: is "0"; want a number of tasks from 1`,
		"gitlab: {url: https://gitlab.example.com, reconcile: 1ns}":     `gitlab.reconcile: is "1ns"; want a time such as 5m, of 1s or more`,
		"gitlab: {url: gitlab.example.com}":                             `FILE:6:15: gitlab.url: is "gitlab.example.com"; want GitLab's address`,
		"sibling: {name: PROD}":                                         "FILE:9:10: sibling: want a name and the address of the other instance",
		"sibling: {}":                                                   "FILE:9:10: sibling: want a name",
		"tls: {}":                                                       "FILE:9:6: tls: want cert_file and key_file, or leave the section out",
		"listen: 8080":                                                  `FILE:9:9: listen: is "8080"; want an address such as`,
		"probes: 127.0.0.1:8080":                                        "FILE:9:9: probes: want another address than that of listen",
		"database: dagwright.db":                                        `FILE:3:11: database: is "dagwright.db"; want sqlite:PATH, or a postgres:// URL`,
		"models: {registry: x.org, branches: {scoring: a..b}}":          `models.branches.scoring: is "a..b"; want the name of a branch, such as main`,
		`models: {registry: x.org, branches: {retrain: ""}}`:            "models.branches.retrain: is empty; want the name of a branch, such as retrain, or leave the key out",
		"models: {registry: x.org, branches: {scoring: retrain}}":       `models.branches: want two branches, such as {scoring: main, retrain: retrain}: retrain is left out and therefore "retrain", the same branch`,
		"models: {registry: x.org, branches: {retrain: main}}":          `retrain: retrain}: scoring is left out and therefore "main", the same branch`,
		"models: {registry: x.org, branches: {scoring: a, retrain: a}}": `retrain: retrain}: one branch cannot become both DAGs`,
		"models: {registry: x.org, branches: {scoring: refs/heads/b}}":  `models.branches.scoring: is "refs/heads/b", Git's reference to a branch; write b`,
		"models: {registry: x.org, branches: {retrain: HEAD}}":          `models.branches.retrain: is "HEAD", which is not a branch; want its name, such as main`,
		"models: {registry: x.org, branches: {scoring: 5}}":             `models.branches.scoring: is 5, which YAML reads as no text; write "5" if a branch has this name`,
		"models: {registry: x.org, branches: {retrain: true}}":          `models.branches.retrain: is true, which YAML reads as no text; write "true" if a branch has this name`,
		"dag_repository: {url: x, project: g/d, branch: HEAD}":          `dag_repository.branch: is "HEAD", which is not a branch; want its name`,
		"models: {registry: x.org, branches: {scoring: a, x: b}}":       `models.branches: unknown key "x"`,
		"models: {registry: x.org, branches: [main]}":                   "models.branches: is a list; want a section with keys such as scoring",
		"models: {registry: x.org, secrets: {gbc/risk/: [a]}}":          `models.secrets: has the name "gbc/risk/"; want names of secrets by project or group, or "*", such as {gbc/risk: [risk-*]}`,
		"models: {registry: x.org, secrets: {gbc: [Churn_db]}}":         `models.secrets.gbc[0]: "Churn_db" is wrong; want names of secrets by project or group`,
		"models: {registry: r.example.com, timezone: Mars/Base}":        `models.timezone: is "Mars/Base"; want the name of a time zone`,
		"promotion: {overlay: {tags: [x]}}":                             "promotion.overlay: is of use only beside url and project",
		"promotion: {url: x, project: gbc/airflow-dev}":                 "promotion.project: is the instance's own DAG repository",
		"promotion: {from: {branch: x}}":                                "promotion.from: is of use with only_promoted: true alone",
		"kubernetes: {qps: -1}":                                         `FILE:9:19: kubernetes.qps: is "-1"; want requests a second`,
		"kubernetes: {policy: {max_resources: {cpu: [1]}}}":             "kubernetes.policy.max_resources.cpu: is a list; want resources with quantities",
		"logs: {dags: {a: -1d}}":                                        `FILE:9:18: logs.dags.a: is "-1d"; want`,
		"production: perhaps":                                           `FILE:9:13: production: is "perhaps"; want true or false`,
		"---\nproduction: true":                                         "FILE:9:1: another document begins here; want one",
		"production: true\nproduction: false":                           "FILE:10:1: production: is here a second time, first in line 9; want it once",
		"logs: {dags: {a: 1d, a: 2d}}":                                  "FILE:9:22: logs.dags.a: is here a second time, first in line 9; want it once",
		"logs:\n  bucket: s3://x\n\tretention: 1d":                      "FILE:11: not YAML: found a tab character that violates indentation",
		"gitlab: {url: https://gitlab.example.com, groups: ['*']}":      `gitlab.groups[0]: "*" is not the path of a group; want one such as gbc or gbc/risk`,
	} {
		_, fault := readConfig(t, replaced(minimalConfig, text))
		if !strings.Contains(fault, want) {
			t.Errorf("%s:\n%s\nwant %s", text, fault, want)
		}
		if strings.HasSuffix(fault, ": invalid") {
			t.Errorf("%s: %s", text, fault)
		}
	}
}

// replaced is a configuration with a line, instead of the one with the same key if there is one.
func replaced(config, line string) string {
	key, _, _ := strings.Cut(line, ":")
	lines := strings.SplitAfter(config, "\n")
	if at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, key+":") }); at >= 0 {
		lines[at] = line + "\n"
		return strings.Join(lines, "")
	}
	return config + line + "\n"
}

// TestNoRulesAreRefused refuses lists of rules with which nobody could do anything.
func TestNoRulesAreRefused(t *testing.T) {
	t.Parallel()
	_, fault := readConfig(t, besideAuth+strings.Replace(signInFile, "[{groups: [admins], role: admin}]", "[]", 1))
	if want := "auth.rules: the list is empty, so that nobody may do anything"; !strings.Contains(fault, want) {
		t.Errorf("fault %q, want %q", fault, want)
	}
}

// TestDocumentedConfiguration reads the file that docs/configuration.md shows, and finds every key in it.
func TestDocumentedConfiguration(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	shown := blocks[0][1]
	if _, fault := readConfig(t, shown); fault != "" {
		t.Errorf("the documented file: %s", fault)
	}
	offers, variables, policy := blocks[2][1], blocks[3][1], blocks[4][1]
	if _, fault := readConfig(t, minimalConfig+variables); fault != "" {
		t.Errorf("the documented variables: %s", fault)
	}
	if _, fault := readConfig(t, replacedSection(minimalConfig, "models", offers)); fault != "" {
		t.Errorf("the documented offers: %s", fault)
	}
	for key := range configValues {
		name := key[strings.LastIndexByte(key, '.')+1:]
		if strings.Contains(key, ".*.") && !regexp.MustCompile(fmt.Sprintf(`\b%s:`, name)).MatchString(offers) {
			t.Errorf("docs/configuration.md lacks %s", key)
		}
	}
	if _, fault := readConfig(t, minimalConfig+"kubernetes:\n  "+strings.ReplaceAll(policy, "\n", "\n  ")); fault != "" {
		t.Errorf("the documented policy: %s", fault)
	}
	for _, leaf := range configLeaves(reflect.TypeFor[Config](), "") {
		key := leaf.key[strings.LastIndexByte(leaf.key, '.')+1:]
		if !strings.HasPrefix(leaf.key, "promotion.") && !regexp.MustCompile(fmt.Sprintf(`(?m)\b%s:`, key)).Match(text) {
			t.Errorf("docs/configuration.md lacks %s", leaf.key)
		}
	}
}

// TestLeastConfiguration reads the least file of docs/configuration.md, and then without each key that it calls
// required.
func TestLeastConfiguration(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## The least file\n")
	_, shown, _ := strings.Cut(section, "```yaml\n")
	shown, _, _ = strings.Cut(shown, "```")
	read := func(text string) string {
		c, fault := readConfig(t, text)
		if fault == "" {
			if err := c.checkStart(); err != nil {
				fault = err.Error()
			}
		}
		return fault
	}
	if fault := read(shown); fault != "" {
		t.Fatalf("the least file: %s", fault)
	}
	for key, line := range map[string]string{
		"auth": "auth: none", "database": "database: ", "data": "data: ", "dag_repository.url": "  url: ",
		"dag_repository.project": "  project: ", "gitlab.groups": "  groups: ", "webhook.secret_files": "  secret_files: ",
		"models.registry": "  registry: ",
	} {
		without := regexp.MustCompile("(?m)^"+line+".*\n").ReplaceAllString(shown, "")
		if fault := read(without); without == shown || !strings.Contains(fault, key+": want ") {
			t.Errorf("without %s: %q", key, fault)
		}
	}
}

// TestErrorTextHasNoWordForPrograms prints errors without the sentinel by which programs know them.
func TestErrorTextHasNoWordForPrograms(t *testing.T) {
	t.Parallel()
	err := errors.Join(dag.CheckID(".."), dag.CheckID(""), dag.CheckNote(strings.Repeat("x", 100_000)))
	if text := usage.Text(err); !errors.Is(err, dag.ErrInvalid) || strings.Contains(text, ": invalid") {
		t.Errorf("text %q", text)
	}
}
