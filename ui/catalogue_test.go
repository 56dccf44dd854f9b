package ui

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"

	"golang.org/x/net/html"
	"golang.org/x/text/language"

	"dagwright/dag"
	"dagwright/store"
)

// TestEveryTextIsTranslated compares every text in templates and code with the
// catalogue: none is missing, and none is left over.
func TestEveryTextIsTranslated(t *testing.T) {
	t.Parallel()
	used := map[string]string{} // key → where it stands
	templateTexts(t, used)
	codeTexts(t, used)
	known := maps.Clone(russian)
	for _, p := range plurals {
		known[p.key] = p.ru[0]
	}
	for _, key := range slices.Sorted(maps.Keys(used)) {
		text, ok := known[key]
		if !ok || text == "" {
			t.Errorf("%s: no Russian text for %q", used[key], key)
		}
		if got, want := verbs(text), verbs(key); ok && !slices.Equal(got, want) {
			t.Errorf("%q has the verbs %q, its Russian text %q", key, want, got)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if used[key] == "" {
			t.Errorf("the catalogue's %q is used nowhere", key)
		}
	}
}

var verb = regexp.MustCompile(`%(\[\d\])?[.\d]*[a-z]`)

func verbs(text string) []string { return slices.Sorted(slices.Values(verb.FindAllString(text, -1))) }

// templateTexts collects the literal first arguments of t and th.
func templateTexts(t *testing.T, used map[string]string) {
	t.Helper()
	for _, tmpl := range newViews().templates[language.English].Templates() {
		if tmpl.Tree == nil {
			continue
		}
		walk(tmpl.Tree.Root, func(cmd *parse.CommandNode) {
			if len(cmd.Args) < 2 {
				return
			}
			name, ok := cmd.Args[0].(*parse.IdentifierNode)
			if !ok || name.Ident != "t" && name.Ident != "th" {
				return
			}
			if key, ok := cmd.Args[1].(*parse.StringNode); ok {
				used[key.Text] = tmpl.Tree.ParseName
			}
		})
	}
}

// walk visits every command under a node of a template.
func walk(node parse.Node, visit func(*parse.CommandNode)) {
	branch := func(b *parse.BranchNode) {
		walk(b.Pipe, visit)
		walk(b.List, visit)
		if b.ElseList != nil {
			walk(b.ElseList, visit)
		}
	}
	switch n := node.(type) {
	case *parse.ListNode:
		for _, child := range n.Nodes {
			walk(child, visit)
		}
	case *parse.ActionNode:
		walk(n.Pipe, visit)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			walk(n.Pipe, visit)
		}
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.PipeNode:
		for _, cmd := range n.Cmds {
			visit(cmd)
			for _, arg := range cmd.Args {
				if pipe, ok := arg.(*parse.PipeNode); ok {
					walk(pipe, visit)
				}
			}
		}
	}
}

// parseFolder parses the Go files of a folder, by package, except for tests.
func parseFolder(t *testing.T, folder string) (map[string]*ast.Package, *token.FileSet) {
	t.Helper()
	fset := token.NewFileSet()
	noTest := func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }
	packages, err := parser.ParseDir(fset, folder, noTest, 0) //nolint:staticcheck // one folder without build tags
	if err != nil {
		t.Fatal(err)
	}
	return packages, fset
}

// codeTexts collects the literal first arguments of the functions that take a
// key.
func codeTexts(t *testing.T, used map[string]string) {
	t.Helper()
	takers := []string{"say", "t", "invalid", "notFound", "text", "jsonError"}
	packages, fset := parseFolder(t, ".")
	ast.Inspect(packages["ui"], func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		name := ""
		switch f := call.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		literal, ok := call.Args[0].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING || !slices.Contains(takers, name) {
			return true
		}
		key, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		used[key] = fset.Position(call.Pos()).String()
		return true
	})
}

var (
	action  = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	letters = regexp.MustCompile(`\pL{2,}`)
)

// TestTemplatesHaveNoOtherText looks for words that are in no catalogue.
func TestTemplatesHaveNoOtherText(t *testing.T) {
	t.Parallel()
	same := []string{"dagwright", "SCORING_DATE", "Esc"} // in every language
	files, err := htmlFiles.ReadDir("html")
	if err != nil {
		t.Fatal(err)
	}
	check := func(file, text string) {
		for _, word := range letters.FindAllString(text, -1) {
			if !slices.ContainsFunc(same, func(s string) bool { return strings.Contains(s, word) }) {
				t.Errorf("html/%s: the word %q is not in the catalogue: %q", file, word, strings.TrimSpace(text))
			}
		}
	}
	for _, file := range files {
		source, err := htmlFiles.ReadFile("html/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		tokens := html.NewTokenizer(strings.NewReader(action.ReplaceAllString(string(source), "")))
		for tokens.Next() != html.ErrorToken {
			switch tok := tokens.Token(); tok.Type {
			case html.TextToken:
				check(file.Name(), tok.Data)
			case html.StartTagToken, html.SelfClosingTagToken:
				for _, a := range tok.Attr {
					if slices.Contains([]string{"title", "aria-label", "placeholder", "alt"}, a.Key) {
						check(file.Name(), a.Val)
					}
				}
			}
		}
	}
}

func TestLanguageAndZoneOfReader(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.save(newDAG("churn-model", "run_model"))
	s.run("churn-model", "")
	for _, test := range []struct {
		name, header, cookie string
		want                 []string
	}{
		{"English by default", "", "", []string{`lang="en"`, "Next run", "1 DAG"}},
		{"Russian by the browser", "ru-RU,ru;q=0.9,en;q=0.8", "", []string{`lang="ru"`, "Следующий запуск", "1 DAG"}},
		{"a language that there is not", "fr", "", []string{`lang="en"`}},
		{"Russian by choice", "en", languageCookie + "=ru", []string{`lang="ru"`}},
		{"dark by choice", "", themeCookie + "=dark", []string{`data-theme="dark"`}},
		{"a hostile choice", "", themeCookie + `=x"y; ` + zoneCookie + "=../../etc/passwd",
			[]string{`lang="en"`, "12:00 UTC"}},
		{"own zone", "", zoneCookie + "=Asia/Tokyo", []string{"21:00 Asia/Tokyo"}},
	} {
		r := newGet("/")
		r.Header.Set("Accept-Language", test.header)
		r.Header.Set("Cookie", test.cookie)
		p := checkPage(t, test.name, s.do(r))
		p.wants(t, test.want...)
	}
}

func TestSettingsAreKept(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := s.post("/settings",
		map[string][]string{"language": {"ru"}, "theme": {"dark"}, "zone": {"mine"}, "own_zone": {"Europe/Berlin"},
			"back": {"/models"}}, "")
	if w.Header().Get("Location") != "/models" {
		t.Errorf("led to %q, want /models", w.Header().Get("Location"))
	}
	got := strings.Join(w.Header().Values("Set-Cookie"), "\n")
	for _, want := range []string{languageCookie + "=ru", themeCookie + "=dark", zoneCookie + "=Europe/Berlin"} {
		if !strings.Contains(got, want) {
			t.Errorf("no cookie %q in:\n%s", want, got)
		}
	}
	w = s.post("/settings", map[string][]string{"language": {"xx"}, "theme": {"pink"}, "zone": {"Mars/Base"}}, "")
	if got := w.Header().Values("Set-Cookie"); len(got) > 0 {
		t.Errorf("nonsense was kept: %q", got)
	}
}

func TestSiblingLeadsToTheSamePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server.Environment, s.server.Production, s.server.Sibling = "PROD", true, Sibling{Name: "DEV",
		URL: "https://dev.example.com/"}
	s.save(newDAG("churn-model", "run_model"))
	r := s.run("churn-model", "")
	s.get(200, "/").wants(t, "DEV ↗", `class="environment production"`)
	for here, there := range map[string]string{
		"/models?state=refused":                                    "/models?state=refused",
		"/?q=churn&state=paused&page=2":                            "/?q=churn&state=paused",
		"/dags/churn-model/code":                                   "/dags/churn-model/code",
		"/dags/churn-model/code?version=1":                         "/dags/churn-model/code",
		runURL("churn-model", r.ID):                                "/dags/churn-model/runs",
		"/dags/churn-model/gantt?run=" + queryEscape(string(r.ID)): "/dags/churn-model/gantt",
	} {
		if got, want := s.get(200, here).attr("sibling", "href"), "https://dev.example.com"+there; got != want {
			t.Errorf("%s leads to %s, want %s", here, got, want)
		}
	}
}

// TestEveryAuditEventHasWords finds the events that the sources write to the audit
// log, by what points to one: the field Event, variables named event, and functions
// that take one.
func TestEveryAuditEventHasWords(t *testing.T) {
	t.Parallel()
	found := map[string]string{}
	for _, folder := range []string{"../store", "../auth", "../scheduler", "../generator", "../api", "../ui", "../webhook",
		"../cijob"} {
		auditEvents(t, folder, found)
	}
	for _, event := range []string{store.ViaRerender, store.ViaOverwrite, store.ViaDryRun} { // RerenderPushes writes how it was asked
		found[event] = "../store/pushwork.go"
	}
	for _, state := range []dag.TaskState{dag.TaskSuccess, dag.TaskFailed, dag.TaskSkipped} {
		found["mark_task_"+string(state)] = found["mark_task_"]
	}
	for _, state := range []dag.RunState{dag.RunSuccess, dag.RunFailed} {
		found["mark_"+string(state)] = found["mark_"]
	}
	delete(found, "mark_task_")
	delete(found, "mark_")
	for _, event := range slices.Sorted(maps.Keys(found)) {
		if auditWords[event] == "" {
			t.Errorf("%s: no words for the audit log's event %q", found[event], event)
		}
	}
	if known := slices.Sorted(maps.Keys(auditWords)); !slices.Equal(known, store.AuditEvents) {
		t.Errorf("events with words:\n%q\nevents of the store:\n%q", known, store.AuditEvents)
	}
	for event := range auditWords {
		if found[event] == "" {
			t.Errorf("nothing writes the event %q to the audit log any more, or the test has lost sight of it", event)
		}
	}
}

var eventName = regexp.MustCompile(`^[a-z_]+$`)

// auditEvents collects the events that a package writes, with their place.
func auditEvents(t *testing.T, folder string, found map[string]string) {
	t.Helper()
	packages, fset := parseFolder(t, folder)
	keep := func(e ast.Expr) {
		if sum, ok := e.(*ast.BinaryExpr); ok {
			e = sum.X
		}
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if name, err := strconv.Unquote(literal.Value); err == nil && eventName.MatchString(name) {
				found[name] = fset.Position(e.Pos()).String()
			}
		}
	}
	for _, pkg := range packages {
		ast.Inspect(pkg, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if nameOf(n.Key) == "Event" {
					keep(n.Value)
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if len(n.Lhs) == len(n.Rhs) && slices.Contains([]string{"event", "proposed"}, nameOf(left)) {
						keep(n.Rhs[i])
					}
				}
			case *ast.CallExpr:
				if slices.Contains([]string{"note", "noteRefusal", "EndSession", "onBackfill"}, nameOf(n.Fun)) {
					for _, arg := range n.Args {
						keep(arg)
					}
				}
			}
			return true
		})
	}
}

func TestAuditDetailsInWords(t *testing.T) {
	t.Parallel()
	rd := &reader{lang: language.Russian, Printer: printers()[language.Russian]}
	for _, test := range []struct{ extra, want string }{
		{"", ""},
		{`{"conf_keys":["A","SCORING_DATE"]}`, "ключи конфигурации: A, SCORING_DATE"},
		{`{"more": 3, "tasks": ["a", "b"]}`, "таски: a, b; ещё тасок: 3"},
		{`{"act":"delete_history","needs":"admin"}`, "действие: удаление истории; нужна роль: администратор"},
		{`{"reason":"The ID token cannot be read.","x":"y"}`, "причина: ID token не читается.; x: y"},
		{"no JSON", "no JSON"},
	} {
		if got := rd.auditExtra(test.extra); got != test.want {
			t.Errorf("%s: got %q, want %q", test.extra, got, test.want)
		}
	}
	for _, a := range []dag.Right{dag.RightRead, dag.RightSettings, dag.RightPause, dag.RightTrigger, dag.RightClear,
		dag.RightMarkRun, dag.RightMarkTask,
		dag.RightCancel, dag.RightNote, dag.RightBackfill, dag.RightDelete, dag.RightRestore, dag.RightDeleteHistory,
		dag.RightReplay, dag.RightRerender,
		dag.RightPromote, dag.RightTakeOver, dag.RightAdminister} {
		if rightWords[a] == "" {
			t.Errorf("no words for the act %q", a)
		}
	}
}
