package ui

import (
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/language"
)

// TestEveryFaultIsTranslated finds the words that other packages give as
// faults, conflicts and refusals, and checks the table of faults against them.
func TestEveryFaultIsTranslated(t *testing.T) {
	t.Parallel()
	rd := &reader{lang: language.Russian, Printer: printers()[language.Russian]}
	found := map[string]string{}
	for _, s := range faultSources {
		collectFaults(t, s, found)
	}
	if len(found) < 100 {
		t.Fatalf("found only %d faults in the sources: the test has lost sight of them", len(found))
	}
	for _, format := range slices.Sorted(maps.Keys(found)) {
		sample := sampleOf(format)
		if rd.told(sample) == sample {
			t.Errorf("%s: no Russian line for the fault %q", found[format], format)
		}
	}
}

// sources says where a package gives reasons.
type sources struct {
	folder string
	names  []string // of fields and variables that hold reasons
	calls  []string // of functions that take one as a literal
	in     []string // of functions that return one
	errs   bool     // whether its errors of dag's kinds, such as dag.ErrConflict, reach a reader
}

var faultSources = []sources{
	{folder: "../scheduler", names: []string{"Reason", "reason"}},
	{folder: "../dag", names: []string{"Reason", "reason", "fault"}, calls: []string{"add", "addAt", "addKey"}, errs: true,
		in: []string{"checkAllowed", "checkText", "checkFormat", "checkNumber", "checkPart", "checkList", "checkObject",
			"checkCombined", "keywordFault", "partFault", "limitFault", "typeFault", "patternFault"}},
	{folder: "../store", names: []string{"Reason", "reason", "SkippedByMessage", "SkippedByOption"}, errs: true},
	{folder: "../generator", names: []string{"Reason", "reason", "hint"},
		calls: []string{"add", "addAt", "fault", "faultf", "faultKey", "faultSaid", "refuse", "offered", "Errorf", "New"},
		in:    []string{"choices", "allowed"}},
	{folder: "../timetable", calls: []string{"Errorf", "New", "fail", "bad"}},
	{folder: "../podspec", calls: []string{"add", "bad", "Errorf", "New"}},
	{folder: "../auth", calls: []string{"refusef"}, names: []string{"errUnknown"}, errs: true},
}

// fieldPath is a name of a field, and no words.
var fieldPath = regexp.MustCompile(`^[^ ]*[._][^ ]*$`)

func collectFaults(t *testing.T, s sources, found map[string]string) {
	t.Helper()
	packages, fset := parseFolder(t, s.folder)
	keep := func(exprs ...ast.Expr) {
		for _, e := range exprs {
			format, ok := formatOf(e)
			if ok && letters.MatchString(verb.ReplaceAllString(format, "")) && !fieldPath.MatchString(format) {
				found[format] = fset.Position(e.Pos()).String()
			}
		}
	}
	for _, pkg := range packages {
		ast.Inspect(pkg, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if slices.Contains(s.names, nameOf(n.Key)) {
					keep(n.Value)
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if slices.Contains(s.names, nameOf(left)) && len(n.Lhs) == len(n.Rhs) {
						keep(n.Rhs[i])
					}
				}
			case *ast.CallExpr:
				if slices.Contains(s.calls, nameOf(n.Fun)) {
					keep(n.Args...)
				}
				if s.errs && nameOf(n.Fun) == "Errorf" {
					keepError(n, keep)
				}
			case *ast.FuncDecl:
				if slices.Contains(s.in, n.Name.Name) {
					keepReturns(n.Body, keep)
				}
			}
			return true
		})
	}
}

// keepReturns keeps what the returns under a node give.
func keepReturns(n ast.Node, keep func(...ast.Expr)) {
	ast.Inspect(n, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok {
			keep(r.Results...)
		}
		return true
	})
}

// keepError keeps the words of an error that is shown to the reader.
func keepError(call *ast.CallExpr, keep func(...ast.Expr)) {
	sentinel := func(e ast.Expr) bool {
		return slices.Contains([]string{"ErrConflict", "ErrForbidden", "ErrInvalid", "ErrNotFound"}, nameOf(e))
	}
	if slices.ContainsFunc(call.Args, sentinel) {
		keep(call.Args[0])
	}
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// formatOf is the text that an expression makes, as a format: literals joined
// with +, %s for whatever stands between them, and the format of a Sprintf.
func formatOf(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return strings.TrimPrefix(strings.TrimSuffix(text, ": %w"), "%w "), err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, okLeft := formatOf(e.X)
		right, okRight := formatOf(e.Y)
		if e.Op != token.ADD || !okLeft && !okRight {
			return "", false
		}
		if !okLeft {
			left = "%s"
		}
		if !okRight {
			right = "%s"
		}
		return left + right, true
	case *ast.CallExpr:
		if nameOf(e.Fun) == "Sprintf" {
			return formatOf(e.Args[0])
		}
	case *ast.ParenExpr:
		return formatOf(e.X)
	}
	return "", false
}

var anyVerb = regexp.MustCompile(`%[-+#]?[\d.]*[a-zA-Z]`)

// sampleOf fills a format in.
func sampleOf(format string) string {
	return anyVerb.ReplaceAllStringFunc(format, func(v string) string {
		switch v[len(v)-1] {
		case 'd':
			return "7"
		case 'q':
			return `"x-1"`
		}
		return "x-1"
	})
}

func TestFaultsOfRealFiles(t *testing.T) {
	t.Parallel()
	rd := &reader{lang: language.Russian, Printer: printers()[language.Russian]}
	for _, test := range []struct{ english, want string }{
		{`unknown key "imag"; did you mean "image"?`, `неизвестный ключ "imag"; может быть, "image"?`},
		{`.dagwright.yml:2: not YAML: did not find expected ',' or ']' (a "[" or "{" that is not closed?)`,
			`.dagwright.yml:2: ошибка в YAML: нет ожидаемого «,» или «]» (не закрыта скобка [ или {?)`},
		{`.dagwright.yml:2: not YAML: did not find expected node content (a "[" or "{" that is not closed?)`,
			`.dagwright.yml:2: ошибка в YAML: нет ожидаемого значения (не закрыта скобка [ или {?)`},
		{`invalid conf key "A B" is not a name of an environment variable: use letters, digits and "_", not beginning with a digit, at most 250 characters`,
			`ключ конфигурации "A B" не может быть именем переменной окружения: нужны латинские буквы, цифры и «_», не с цифры, не больше 250 символов`},
		{".dagwright.yml:3:4: scoring.schedule: is empty\n.dagwright.yml:5: must be a list, not a string",
			".dagwright.yml:3:4: scoring.schedule: пусто\n.dagwright.yml:5: нужен список, а здесь строка"},
		{`invalid conf key "PATH": it is reserved: it would change how the task itself runs; choose another name`,
			`ключ конфигурации "PATH" зарезервирован: он изменил бы работу самой таски; выберите другое имя`},
		{`invalid conf key "A": it has a value larger than 64 KiB`, `ключ конфигурации "A": значение больше 64 КиБ`},
		{`invalid param "mode": the value must be one of "full", "in parts"`,
			`параметр "mode": нужно одно из значений "full", "in parts"`},
		{`invalid param "mode": the value must be one of 1, 2 and 7 more`,
			`параметр "mode": нужно одно из значений 1, 2 и ещё 7`},
		{`invalid param "mode": the value must be 1, the constant of the schema`,
			`параметр "mode": нужно значение 1 (const)`},
		{`run id "a b/c" has a character that is not allowed; want letters, digits and _ . ~ : + -`,
			`идентификатор запуска "a b/c": есть недопустимый символ; можно: латинские буквы, цифры и _ . ~ : + -`},
		{`run id "aaa"… has 251 characters; want 250 at most`,
			`идентификатор запуска "aaa"…: длина 251, а можно не больше 250 символов`},
		{`hand.yaml:2:13: hand.schedule: minute field "*/x": step in "*/x": "x" is not understood; want 0-59, *, a range a-b, a step */n, or a list of them`,
			`hand.yaml:2:13: hand.schedule: минуты "*/x": шаг в "*/x": "x" не читается; нужно 0-59, *, диапазон a-b, шаг */n или их список`},
		{`.dagwright.yml:2: scoring.env: unknown key; there are command, schedule`,
			`.dagwright.yml:2: scoring.env: неизвестный ключ; есть command, schedule`},
		{`d.yaml:7: d.tasks[0]: there is no task or task group "c"; did you mean "b"?`,
			`d.yaml:7: d.tasks[0]: нет таски или группы тасок "c"; может быть, "b"?`},
		{`d.yaml:7: d.tasks[0].cmds[1]: a width may be 1000 at most`,
			`d.yaml:7: d.tasks[0].cmds[1]: текст ошибки: a width may be 1000 at most`},
		{`run "r" of DAG "d" has ended as success`, `запуск "r" DAG-а "d" уже завершился (успех)`},
		{`task "a" of run "r" is up_for_retry`, `таска "a" запуска "r" в состоянии «ждёт повтора»`},
		{"read head of main of gbc/x: GitLab: connection refused by peer",
			"не удалось узнать последний коммит ветки main проекта gbc/x: GitLab: connection refused by peer"},
		{"character '}' looking for beginning of value", "недопустимый символ '}': ожидалось значение"},
		{"words of somebody else", "words of somebody else"},
		{"", ""},
	} {
		if got := rd.translated(test.english); got != test.want {
			t.Errorf("%q in Russian:\n got %q\nwant %q", test.english, got, test.want)
		}
	}
	english := &reader{lang: language.English}
	if got := english.translated("is empty"); got != "is empty" {
		t.Errorf("an English reader gets %q", got)
	}
}

// TestFaultsAreTranslatedByTheirOwnWords wants each fault to be found by its own
// pattern, alone and as what is wrong with a param, and never by a more general one.
func TestFaultsAreTranslatedByTheirOwnWords(t *testing.T) {
	t.Parallel()
	for _, p := range faultPatterns() {
		sample := sampleOf(p.english)
		own, _ := p.translate(sample, maxNestedFaults)
		if got, _ := russianText(sample, maxNestedFaults); got != own {
			t.Errorf("%q in Russian:\n got %q\nwant %q", sample, got, own)
		}
		if !strings.Contains(sample, " ") {
			continue // a name stays as it is within a fault
		}
		own = `параметр "x": ` + own
		if got, _ := russianText(`param "x": `+sample, maxNestedFaults); got != own {
			t.Errorf("%q of a param in Russian:\n got %q\nwant %q", sample, got, own)
		}
	}
}

func TestFaultWordsKeepTheirValues(t *testing.T) {
	t.Parallel()
	for _, w := range faultWords {
		want := len(faultVerb.FindAllString(w.english, -1))
		if got := len(anyVerb.FindAllString(strings.ReplaceAll(w.russian, "[2]", ""), -1)); got != want {
			t.Errorf("%q has %d values, its Russian text %d", w.english, want, got)
		}
	}
}
