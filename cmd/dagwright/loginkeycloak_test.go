package main

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dagwright/cli"
	"dagwright/cli/clitest"
	"dagwright/gitlab/gitlabtest"
)

// browser is what a person has beside the terminal: it follows links and fills in
// forms, with the cookies of one session.
type browser struct {
	*testing.T
	base   string
	client *http.Client
}

func newBrowser(t *testing.T, base string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{T: t, base: base, client: &http.Client{Jar: jar}}
}

// open asks for a page; with a form it is sent.
func (b *browser) open(address string, form url.Values) string {
	b.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(b.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := b.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s %v\n%s", address, answer.Status, err, page)
	}
	return string(page)
}

var (
	formAction  = regexp.MustCompile(`(?s)<form[^>]*action="([^"]+)"`)
	hiddenField = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"`)
)

// submit fills in the form of a page and sends it.
func (b *browser) submit(page string, form url.Values) string {
	b.Helper()
	action := formAction.FindStringSubmatch(page)
	if action == nil {
		b.Fatalf("no form on the page:\n%s", page)
	}
	for _, field := range hiddenField.FindAllStringSubmatch(page, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	address := html.UnescapeString(action[1])
	if strings.HasPrefix(address, "/") {
		address = b.base + address
	}
	return b.open(address, form)
}

var completeAddress = regexp.MustCompile(`or open (\S+)`)

// TestLoginByKeycloak signs in from the command line at a real Keycloak, with the
// realm and the rules of docs/auth.md, and makes a token for a script.
func TestLoginByKeycloak(t *testing.T) {
	t.Parallel()
	k := openKeycloak(t)
	realm, _ := k.makeRealm("http://127.0.0.1")
	gl := gitlabtest.New(t)
	gl.CreateProject(testDAGProject)
	in := &site{T: t, dir: t.TempDir(), log: &lockedBuffer{}}
	in.write("token", gl.Token)
	in.write("secret", instanceKey)
	in.write("key", strings.Repeat("k", 32))
	in.write("rules.yml", documentedRules(t))
	in.write("dagwright.yml", strings.Replace(in.config(gl, testDAGProject, ""), "auth: none", fmt.Sprintf(`auth:
  oidc: {issuer: "%s/realms/%s", client_id: dagwright-dev, cli_client_id: dagwright-cli}
  key_file: %s
  rules_file: %s`, k.url, realm, in.path("key"), in.path("rules.yml")), 1))
	in.start()

	olga := clitest.NewWorkstation(t, "DAGWRIGHT_SERVER"+"="+in.url)
	olga.Run("", cli.ExitFailed, "you are not signed in to "+in.url, "dags", "list")
	cmd := olga.Command("login")
	out := clitest.NewScreen()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Await(t, "Waiting for you")
	b := newBrowser(t, k.url)
	page := b.open(completeAddress.FindStringSubmatch(out.String())[1], nil)
	page = b.submit(page, url.Values{"username": {"olga"}, "password": {keycloakPassword}})
	b.submit(page, url.Values{"accept": {"Yes"}})
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "signed in to "+in.url+" as olga") {
		t.Fatalf("%v\n%s", err, out)
	}
	olga.Run("", cli.ExitDone, "operator", "whoami")

	before := olga.Tokens()
	olga.Age()
	olga.Run("", cli.ExitDone, "STATE", "dags", "list")
	if after := olga.Tokens(); len(after) != 2 || after[0] == before[0] {
		t.Error("the token was not renewed")
	}

	token := filepath.Join(t.TempDir(), "token")
	olga.Run("", cli.ExitDone, "it is not shown again", "tokens", "create", "report", "--days", "1", "--token-out", token)
	olga.Run("", cli.ExitDone, "report", "tokens", "list")
	olga.Run("", cli.ExitUsage, "file exists", "tokens", "create", "other", "--token-out", token)
	script := clitest.NewWorkstation(t, "DAGWRIGHT_SERVER"+"="+in.url, "DAGWRIGHT_TOKEN_FILE"+"="+token)
	script.Run("", cli.ExitDone, "viewer", "whoami")
	script.Run("", cli.ExitFailed, "dagwright whoami --server", "rerender")
	id := regexp.MustCompile(`"id": "(\w+)"`)
	list, err := olga.Command("tokens", "list", "--output", "json").Output()
	if err != nil || id.FindSubmatch(list) == nil {
		t.Fatalf("%v %s", err, list)
	}
	olga.Run("", cli.ExitDone, "is revoked", "tokens", "revoke", string(id.FindSubmatch(list)[1]))
	script.Run("", cli.ExitFailed, "does not accept the token of DAGWRIGHT_TOKEN_FILE", "whoami")

	olga.Run("", cli.ExitDone, "signed out of", "logout")
	olga.Run("", cli.ExitFailed, "you are not signed in", "dags", "list")
	text, err := os.ReadFile(token)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range append(before, strings.TrimSpace(string(text))) {
		if strings.Contains(olga.Shown.String()+script.Shown.String(), secret) {
			t.Error("a token was shown")
		}
	}
}
