package auth_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dagwright/store"
	"dagwright/store/storetest"
)

var keptField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// again reads the form by which a page offers to ask once more.
func (b *browser) again(a answer, path string) url.Values {
	b.Helper()
	_, form, found := strings.Cut(a.body, `action="`+path+`"`)
	form, _, _ = strings.Cut(form, "</form>")
	fields := url.Values{}
	for _, m := range keptField.FindAllStringSubmatch(form, -1) {
		fields.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	if !found || a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		b.Fatalf("%s: %d %v without a form to ask again: %.1000s", path, a.status, a.header, a.body)
	}
	return fields
}

// TestLostAnswers loses the database's answers while tokens and sessions come and go. The
// repeat of each act leaves what one act leaves: no token whose secret nobody has seen.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	proxy := storetest.NewProxy(t, storetest.Postgres(t))
	in := newInstanceOn(t, storetest.Open(t, store.Config{DSN: proxy.DSN()}))
	b, other := in.browser(), in.browser()
	sessions := func() []store.Session {
		t.Helper()
		all, err := in.store.Sessions(t.Context(), "", "", in.now())
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	other.signIn(person("ada", "operators"))
	ended := sessions()[0]
	b.signIn(person("ada", "operators"))
	twice := func(path string, form url.Values) answer {
		t.Helper()
		proxy.LoseCommits(-1)
		lost := b.post(path, form)
		proxy.LoseCommits(0)
		return b.post(path, b.again(lost, path))
	}

	token := tokenText.FindString(twice("/tokens",
		url.Values{"name": {"nightly"}, "role": {"operator"}, "days": {"30"}}).body)
	in.wantsMe(token, `{"name":"ada","via":"token","role":"operator","instance_role":"operator"}`)
	tokens, err := in.store.Tokens(t.Context(), "", "")
	if err != nil || len(tokens) != 1 {
		t.Fatalf("%d tokens (%v), want the one that was shown", len(tokens), err)
	}
	b.wants("revocation", twice("/tokens/"+tokens[0].ID+"/revoke", nil), http.StatusSeeOther)
	b.wants("end of a session", twice("/sessions/"+ended.ID+"/end", nil), http.StatusSeeOther)
	if left := len(sessions()); left != 1 {
		t.Errorf("%d sessions are left, want one", left)
	}

	entries, _, err := in.store.Audit(t.Context(), store.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for _, e := range slices.Backward(entries) {
		events = append(events, e.Event)
	}
	if want := []string{"sign_in", "sign_in", "create_token", "revoke_token", "end_session"}; !slices.Equal(events, want) {
		t.Errorf("audit log: %v, want %v", events, want)
	}
}
