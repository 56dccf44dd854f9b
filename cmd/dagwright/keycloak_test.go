package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dagwright/deploy"
	"dagwright/gitlab/gitlabtest"
)

// keycloak is an administrator of the tests' Keycloak.
type keycloak struct {
	*testing.T
	url, user, password string
	token               string
}

func openKeycloak(t *testing.T) *keycloak {
	t.Helper()
	address, err := url.Parse(os.Getenv("DAGWRIGHT_TEST_KEYCLOAK"))
	if err != nil || address.User == nil {
		t.Fatal(`Keycloak is missing: set DAGWRIGHT_TEST_KEYCLOAK="$(test/keycloak up)", or use "make test", which does it`)
	}
	k := &keycloak{T: t, url: "http://" + address.Host, user: address.User.Username()}
	k.password, _ = address.User.Password()
	k.login()
	return k
}

func (k *keycloak) login() {
	k.Helper()
	answer, err := http.PostForm(k.url+"/realms/master/protocol/openid-connect/token", url.Values{ //nolint:noctx // ends with the test's time
		"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {k.user}, "password": {k.password},
	})
	if err != nil {
		k.Fatal(err)
	}
	defer answer.Body.Close()
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil || body.Token == "" {
		k.Fatalf("sign in to Keycloak: %s %v", answer.Status, err)
	}
	k.token = body.Token
}

// admin sends a request to the administration, which must succeed.
func (k *keycloak) admin(method, path string, body []byte) []byte {
	k.Helper()
	r, err := http.NewRequest(method, k.url+"/admin/realms"+path, bytes.NewReader(body)) //nolint:noctx // used while cleaning up too
	if err != nil {
		k.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+k.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		k.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		k.Fatalf("%s %s: %s %s %v", method, path, answer.Status, text, err)
	}
	return text
}

// keycloakPassword is everybody's.
const keycloakPassword = "correct-horse"

// makeRealm imports the realm of the documentation for an instance at an address,
// adds people to it, and returns its name and the secret of the client of DEV.
func (k *keycloak) makeRealm(instance string) (realm, secret string) {
	k.Helper()
	realm = "test-" + strings.ToLower(rand.Text()[:8])
	text := strings.ReplaceAll(string(deploy.KeycloakRealm), "https://dagwright-dev.example.com", instance)
	text = strings.Replace(text, `"realm": "platform"`, `"realm": "`+realm+`"`, 1)
	k.admin(http.MethodPost, "", []byte(text))
	k.Cleanup(func() {
		k.login()
		k.admin(http.MethodDelete, "/"+realm, nil)
	})
	for name, group := range map[string]string{"ada": "platform-admins", "olga": "ml-operators", "vera": "ml-viewers",
		"nick": ""} {
		person := map[string]any{
			"username": name, "enabled": true, "email": name + "@example.com", "emailVerified": true, "firstName": name,
			"lastName":    "Tester",
			"credentials": []map[string]any{{"type": "password", "value": keycloakPassword}},
		}
		if group != "" {
			person["groups"] = []string{group}
		}
		body, err := json.Marshal(person)
		if err != nil {
			k.Fatal(err)
		}
		k.admin(http.MethodPost, "/"+realm+"/users", body)
	}
	var clients []struct{ ID, Secret string }
	if err := json.Unmarshal(k.admin(http.MethodGet, "/"+realm+"/clients?clientId=dagwright-dev", nil),
		&clients); err != nil || len(clients) != 1 {
		k.Fatalf("the client: %v %v", clients, err)
	}
	return realm, clients[0].Secret
}

// freeAddress is an address of the loopback at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // is closed at once
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestKeycloak drives a real browser through a real Keycloak, with the realm and the
// rules of docs/auth.md.
func TestKeycloak(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal(`node is missing: run "make setup", or use "make test", which does it`)
	}
	k := openKeycloak(t)
	address := freeAddress(t)
	realm, secret := k.makeRealm("http://" + address)
	gl := gitlabtest.New(t)
	gl.CreateProject(testDAGProject)
	gl.Commit(testDAGProject, "main", map[string]string{"dags/churn.yaml": strings.ReplaceAll(validSpec, "\t", "  ")})
	in := &site{T: t, dir: t.TempDir(), log: &lockedBuffer{}}
	in.write("token", gl.Token)
	in.write("secret", instanceKey)
	in.write("client-secret", secret)
	in.write("key", strings.Repeat("k", 32))
	in.write("rules.yml", documentedRules(t))
	config := in.config(gl, testDAGProject, "")
	config = strings.Replace(config, "listen: 127.0.0.1:0", "listen: "+address, 1)
	config = strings.Replace(config, "public_url: "+publicURL, "public_url: http://"+address, 1)
	config = strings.Replace(config, "auth: none", fmt.Sprintf(`auth:
  oidc:
    issuer: %s/realms/%s
    client_id: dagwright-dev
    client_secret_file: %s
    button: Sign in with okta
    cli_client_id: dagwright-cli
  key_file: %s
  rules_file: %s
  sessions: {refresh: 1s}`, k.url, realm, in.path("client-secret"), in.path("key"), in.path("rules.yml")), 1)
	in.write("dagwright.yml", config)
	in.start()
	in.Log("instance at", in.url)

	settings, err := json.Marshal(map[string]string{"keycloak": k.url, "realm": realm, "user": k.user,
		"adminPassword": k.password, "password": keycloakPassword})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	cmd := exec.CommandContext(t.Context(), "node", "keycloak.mjs", in.url, os.Getenv("DAGWRIGHT_SCREENSHOTS"))
	cmd.Dir, cmd.Env = browserScripts, append(os.Environ(), "KEYCLOAK="+string(settings))
	out, err := cmd.CombinedOutput()
	t.Logf("%s\n%s", time.Since(begin).Round(time.Second), out)
	if err != nil {
		t.Error(err)
	}
	in.keepsToItself(secret, "eyJhbGciOi", "dwt_", keycloakPassword) // the second begins every signed token
}

// keepsToItself looks for secrets in the database's files and in the log.
func (in *site) keepsToItself(secrets ...string) {
	in.Helper()
	files, err := filepath.Glob(in.path("dagwright.db*"))
	if err != nil || len(files) == 0 {
		in.Fatalf("the database's files: %q, %v", files, err)
	}
	texts := map[string]string{"the log": in.log.String()}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			in.Fatal(err)
		}
		texts[filepath.Base(file)] = string(text)
	}
	for name, text := range texts {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				in.Errorf("%s holds the secret %.10q…", name, secret)
			}
		}
	}
}

// validSpec is a DAG that can be loaded.
const validSpec = `churn:
	schedule: null
	start_date: "2026-01-01"
	default_args: {owner: risk-team}
	tasks:
		- task_id: run_model
			operator: airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator
			image: registry.example.com/churn:1
			cmds: [python, main.py]
`

// documentedRules is the rule file that docs/auth.md shows.
func documentedRules(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/auth.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "```yaml\n# rules.yml\n")
	rules, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatal("docs/auth.md shows no rules.yml")
	}
	return rules
}
