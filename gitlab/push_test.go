package gitlab_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dagwright/dag"
	"dagwright/gitlab"
)

const (
	zeros   = "0000000000000000000000000000000000000000"
	commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// fixtures reads what the module of GitLab's own Go client ships for its tests.
func fixtures(tb testing.TB, pattern string) map[string][]byte {
	tb.Helper()
	dir, err := exec.CommandContext(tb.Context(), "go", "list", "-m", "-f", "{{.Dir}}",
		"gitlab.com/gitlab-org/api/client-go/v2").Output()
	if err != nil {
		tb.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "testdata", pattern))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no fixtures %s: %v", pattern, err)
	}
	out := map[string][]byte{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		out[filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path)] = content
	}
	return out
}

func TestParsePushOfClientGoFixtures(t *testing.T) {
	t.Parallel()
	diaspora := gitlab.Push{
		ProjectID: 15, Project: "mike/diaspora", Ref: "refs/heads/master", Branch: "master", Kind: gitlab.PushUpdated,
		Before: "95790bf891e76fee5e1747ab589903a6a1f80f22", After: "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
		UserName: "John Smith", UserUsername: "jsmith", Message: "fixed readme\n", Title: "fixed readme", Commits: 4,
		GitHTTPURL: "http://example.com/mike/diaspora.git", WebURL: "http://example.com/mike/diaspora",
	}
	system := diaspora
	system.UserUsername, system.Commits = "", 1
	system.Message, system.Title = "Add simple search to projects in public area", "Add simple search to projects in public area"
	tag := gitlab.Push{
		ProjectID: 1, Project: "jsmith/example", Ref: "refs/tags/v1.0.0", Kind: gitlab.PushCreated,
		Before: zeros, After: "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7", UserName: "John Smith", UserUsername: "jsmith",
		Message: "Merge branch 'some-feature' into 'master'\n\nRelease v1.0.0\n\nSee merge request jsmith/example!1",
		Title:   "Merge branch 'some-feature' into 'master'", Commits: 1,
		GitHTTPURL: "http://example.com/jsmith/example.git", WebURL: "http://example.com/jsmith/example",
	}
	systemTag := tag
	systemTag.UserUsername, systemTag.Message, systemTag.Title, systemTag.Commits = "", "", "", 0
	want := map[string]gitlab.Push{
		"webhooks/push.json": diaspora, "webhooks/tag_push.json": tag,
		"systemhooks/push.json": system, "systemhooks/tag_push.json": systemTag,
	}
	files := fixtures(t, "*hooks/*push.json")
	if len(files) != len(want) {
		t.Errorf("%d fixtures, want %d", len(files), len(want))
	}
	for name, body := range files {
		got, err := gitlab.ParsePush(bytes.NewReader(body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// Every other event that client-go knows is distinguished from a push.
func TestParsePushOfOtherEvents(t *testing.T) {
	t.Parallel()
	for name, body := range fixtures(t, "*hooks/*.json") {
		if strings.HasSuffix(name, "push.json") {
			continue
		}
		p, err := gitlab.ParsePush(bytes.NewReader(body))
		if !errors.Is(err, gitlab.ErrOtherEvent) && !errors.Is(err, dag.ErrInvalid) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if bytes.Contains(body, []byte(`"object_kind"`)) && !errors.Is(err, gitlab.ErrOtherEvent) {
			t.Errorf("%s: %v, want ErrOtherEvent", name, err)
		}
	}
}

// body is a push event; a changed field is given as old, new pairs.
func body(replace ...string) string {
	event := `{"object_kind":"push","event_name":"push","before":"` + commitA + `","after":"` + commitB +
		`","ref":"refs/heads/main",` +
		`"checkout_sha":"` + commitB + `","user_name":"Ann","user_username":"ann","project_id":7,` +
		`"project":{"id":7,"name":"churn","web_url":"https://gitlab.example.com/gbc/risk/churn","git_http_url":"https://gitlab.example.com/gbc/risk/churn.git","path_with_namespace":"gbc/risk/churn"},` +
		`"commits":[{"id":"` + commitB +
		`","message":"Score\n\nmore","title":"Score"}],"total_commits_count":1,"push_options":{}}`
	return strings.NewReplacer(replace...).Replace(event)
}

func TestParsePush(t *testing.T) {
	t.Parallel()
	base := gitlab.Push{
		ProjectID: 7, Project: "gbc/risk/churn", Ref: "refs/heads/main", Branch: "main", Before: commitA, After: commitB,
		Kind:     gitlab.PushUpdated,
		UserName: "Ann", UserUsername: "ann", Message: "Score\n\nmore", Title: "Score", Commits: 1,
		GitHTTPURL: "https://gitlab.example.com/gbc/risk/churn.git", WebURL: "https://gitlab.example.com/gbc/risk/churn",
	}
	for name, c := range map[string]struct {
		body   string
		change func(*gitlab.Push)
	}{
		"as it is": {body(), func(*gitlab.Push) {}},
		"created": {body(`"before":"`+commitA, `"before":"`+zeros),
			func(p *gitlab.Push) { p.Before, p.Kind = zeros, gitlab.PushCreated }},
		"deleted": {body(`"after":"`+commitB, `"after":"`+zeros),
			func(p *gitlab.Push) { p.After, p.Kind = zeros, gitlab.PushDeleted }},
		"skip by message": {body("more", "[Skip CI]"),
			func(p *gitlab.Push) { p.Message, p.SkipCI = "Score\n\n[Skip CI]", true }},
		"skip by option": {body(`"push_options":{}`, `"push_options":{"ci":{"skip":true,"variable":{"a":1}}}`),
			func(p *gitlab.Push) { p.SkipCI = true }},
		"skip in words": {body(`"push_options":{}`, `"push_options":{"ci":{"skip":"true"}}`),
			func(p *gitlab.Push) { p.SkipCI = true }},
		"skip in a list": {body(`"push_options":{}`, `"push_options":["x","ci.skip"]`),
			func(p *gitlab.Push) { p.SkipCI = true }},
		"other option": {body(`"push_options":{}`, `"push_options":{"mr":{"skip":true}}`), func(*gitlab.Push) {}},
		"nulls": {body(`"user_name":"Ann"`, `"user_name":null`, `"push_options":{}`, `"push_options":null`),
			func(p *gitlab.Push) { p.UserName = "" }},
		"wrong types": {body(`"user_name":"Ann"`, `"user_name":[1,{"a":"b"}]`, `"total_commits_count":1`,
			`"total_commits_count":{}`), func(p *gitlab.Push) { p.UserName, p.Commits = "", 0 }},
		"unknown field": {body(`"user_name"`,
			`"news":{"deep":[1.5e3,-2,true,false,null,"\u00e9\ud83d\ude00\n"]},"user_name"`), func(*gitlab.Push) {}},
		"repeated field": {body(`"ref":`, `"ref":"refs/heads/old","ref":`), func(*gitlab.Push) {}},
		"escaped": {body("Ann", `\u0041nn \ud83d\ude00 \ud83d \"\\`),
			func(p *gitlab.Push) { p.UserName = "Ann 😀 \uFFFD \"\\" }},
		"id in project": {body(`"project_id":7,`, ``), func(*gitlab.Push) {}},
		"no commits":    {body(`"commits":[`, `"others":[`), func(p *gitlab.Push) { p.Message, p.Title = "", "" }},
		"no title":      {body(`"title"`, `"subject"`), func(*gitlab.Push) {}},
		"unicode branch": {body("refs/heads/main", "refs/heads/модель/1"),
			func(p *gitlab.Push) { p.Ref, p.Branch = "refs/heads/модель/1", "модель/1" }},
		"tag": {body("refs/heads/main", "refs/tags/v1", `"object_kind":"push"`, `"object_kind":"tag_push"`),
			func(p *gitlab.Push) { p.Ref, p.Branch = "refs/tags/v1", "" }},
		"system hook":    {body(`"object_kind":"push",`, ""), func(*gitlab.Push) {}},
		"no kind at all": {body(`"object_kind":"push","event_name":"push",`, ""), func(*gitlab.Push) {}},
		"long message": {body("more", strings.Repeat("x", 100_000)),
			func(p *gitlab.Push) { p.Message = "Score\n\n" + strings.Repeat("x", 64<<10-7) }},
		"head is not last": {body(`"title":"Score"}]`, `"title":"Score"},{"id":"`+commitA+`","title":"older"}]`),
			func(*gitlab.Push) {}},
		"sha256 repository": {body(commitB, strings.Repeat("b", 64)),
			func(p *gitlab.Push) { p.After = strings.Repeat("b", 64) }},
	} {
		want := base
		c.change(&want)
		got, err := gitlab.ParsePush(strings.NewReader(c.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestParsePushRefuses(t *testing.T) {
	t.Parallel()
	project := func(path string) string { return body(`"gbc/risk/churn"`, `"`+path+`"`) }
	for name, c := range map[string]struct{ body, says string }{
		"nothing":              {"", "ends too early"},
		"no object":            {"[]", "want an object"},
		"cut off":              {body()[:200], "ends too early"},
		"garbage after":        {body() + "x", "follows"},
		"two documents":        {body() + body(), "follows"},
		"single quotes":        {"{'a':1}", "want"},
		"trailing comma":       {`{"a":1,}`, "want"},
		"bad escape":           {body("Ann", `\x`), "escape"},
		"bad unicode escape":   {body("Ann", `\u00\u0010zz`), "hexadecimal"},
		"raw control":          {body("Ann", "A\nn"), "control"},
		"bad number":           {body(`"project_id":7`, `"project_id":07`), "number"},
		"endless number":       {body(`"project_id":7`, `"project_id":`+strings.Repeat("7", 100)), "digits"},
		"bad word":             {body(`"push_options":{}`, `"push_options":nul`), "null"},
		"deep":                 {body(`"push_options":{}`, `"x":`+strings.Repeat("[", 100_000)), "nested"},
		"deep objects":         {body(`"push_options":{}`, `"x":`+strings.Repeat(`{"a":`, 100_000)), "nested"},
		"no project id":        {body(`"project_id":7,`, "", `"id":7,`, ""), "project_id"},
		"huge project id":      {body(`"project_id":7`, `"project_id":1`+strings.Repeat("0", 30)), "project_id"},
		"negative project id":  {body(`"project_id":7`, `"project_id":-7`), "project_id"},
		"no ref":               {body(`"ref"`, `"fer"`), "ref is missing"},
		"ref of no type":       {body(`"refs/heads/main"`, `5`), "ref is missing"},
		"no after":             {body(`"after"`, `"later"`), "after is missing"},
		"null after":           {body(`"after":"`+commitB+`"`, `"after":null`), "after is missing"},
		"after is not a hash":  {body(`"after":"`+commitB, `"after":"--upload-pack=x`), "hash"},
		"before is not a hash": {body(`"before":"`+commitA, `"before":"HEAD`), "hash"},
		"both zero": {body(`"before":"`+commitA, `"before":"`+zeros, `"after":"`+commitB, `"after":"`+zeros),
			"zero"},
		"other ref":           {body("refs/heads/main", "refs/keep-around/1"), "ref"},
		"ref goes up":         {body("refs/heads/main", "refs/heads/../../x"), "ref"},
		"ref is an option":    {body("refs/heads/main", "refs/heads/--exec=x"), "ref"},
		"ref with newline":    {body("refs/heads/main", `refs/heads/a\nb`), "ref"},
		"long ref":            {body("refs/heads/main", "refs/heads/"+strings.Repeat("x", 5000)), "longer"},
		"project goes up":     {project("../x"), "path_with_namespace"},
		"project goes up in":  {project("gbc/../../etc"), "path_with_namespace"},
		"absolute project":    {project("/etc/passwd"), "path_with_namespace"},
		"one segment":         {project("churn"), "path_with_namespace"},
		"empty segment":       {project("gbc//churn"), "path_with_namespace"},
		"escaped slash":       {project("gbc/%2e%2e/x"), "path_with_namespace"},
		"unicode project":     {project("gbc/модель"), "path_with_namespace"},
		"invisible character": {project(`gbc/chu\u200brn`), "path_with_namespace"},
		"control character":   {project(`gbc/chu\u0007rn`), "path_with_namespace"},
		"long project":        {project("gbc/" + strings.Repeat("x", 5000)), "longer"},
		"long segment":        {project("gbc/" + strings.Repeat("x", 256)), "path_with_namespace"},
	} {
		_, err := gitlab.ParsePush(strings.NewReader(c.body))
		if !errors.Is(err, dag.ErrInvalid) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v; want ErrInvalid with %q", name, err, c.says)
		}
		if err != nil && len(err.Error()) > 600 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

func TestParsePushKeepsReadErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	_, err := gitlab.ParsePush(io.MultiReader(strings.NewReader(body()[:100]), errReader{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want it to wrap the reader's", err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// generator makes a push event with a huge field, a block at a time.
func generator(size int) io.Reader {
	event := body()
	cut := strings.Index(event, `"push_options"`)
	return io.MultiReader(strings.NewReader(event[:cut]+`"huge":"`), io.LimitReader(xs{}, int64(size)),
		strings.NewReader(`",`+event[cut:]))
}

type xs struct{}

func (xs) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestParsePushHoldsLittle(t *testing.T) { // not parallel: it measures allocation
	const size = 25 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := gitlab.ParsePush(generator(size))
	runtime.ReadMemStats(&after)
	if err != nil || p.Project != "gbc/risk/churn" {
		t.Fatalf("ParsePush = %+v, %v", p, err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes allocated for an event of %d", got, size)
	}
}

func FuzzParsePush(f *testing.F) {
	f.Add([]byte(body()))
	f.Add([]byte(body("main", `\ud83d\ude00`)))
	f.Add([]byte(`{"object_kind":"issue"}`))
	for _, content := range fixtures(f, "webhooks/*.json") {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := gitlab.ParsePush(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, dag.ErrInvalid) && !errors.Is(err, gitlab.ErrOtherEvent) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		if p.ProjectID <= 0 || p.Ref == "" || p.After == "" || p.Kind == "" {
			t.Errorf("incomplete push %+v", p)
		}
		if p.Project != "" && !filepath.IsLocal(p.Project) {
			t.Errorf("project %q leaves its folder", p.Project)
		}
	})
}

func BenchmarkParsePush(b *testing.B) {
	data := []byte(body())
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := gitlab.ParsePush(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}
