package dagwright

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// stylePage lists the phrases that the project does not write, in the table whose
// header begins with "not".
const stylePage = "docs/style.md"

// maxComment is the greatest width of a line with a comment, in columns.
const maxComment = 120

// TestForbiddenPhrases wants none of the phrases that docs/style.md lists in Go
// comments and string literals, in the documents and in YAML files.
func TestForbiddenPhrases(t *testing.T) {
	phrases := readPhrases(t)
	for _, text := range proseTexts(t) {
		for _, p := range phrases {
			for _, at := range p.find(text.words) {
				line := text.line + strings.Count(text.words[:at[0]], "\n")
				t.Errorf("%s:%d: %q: write %s", text.file, line, text.words[at[0]:at[1]], p.instead)
			}
		}
	}
}

// TestPhrases checks how docs/style.md's notation for phrases is read.
func TestPhrases(t *testing.T) {
	p := newPhrase("`holds/held … against`", "checks X against Y", "`holds out against`")
	for text, want := range map[string]int{
		"It holds a pod against the policy.":      1,
		"held what was\nfound against it":         1,
		"Held the\n\tpod against":                 1,
		"it holds out against them":               0,
		"holds it. Another guards against errors": 0,
		"upholds a rule against it":               0,
	} {
		if got := len(p.find(text)); got != want {
			t.Errorf("%q: %d matches, want %d", text, got, want)
		}
	}
}

// TestCommentWidth wants comments of at most 120 columns outside of tests, where a
// tab counts as four.
func TestCommentWidth(t *testing.T) {
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for i, line := range strings.Split(readText(t, file), "\n") {
			if !strings.HasPrefix(strings.TrimSpace(line), "//") || strings.HasPrefix(strings.TrimSpace(line), "//go:") {
				continue
			}
			wide := len([]rune(strings.ReplaceAll(line, "\t", "    ")))
			if wide > maxComment {
				t.Errorf("%s:%d: the comment is %d columns wide; want at most %d", file, i+1, wide, maxComment)
			}
		}
	}
}

// phrase is a row of the table: what is not written, what is written instead, and
// what looks like the phrase and is allowed.
type phrase struct {
	not     *regexp.Regexp
	except  *regexp.Regexp // nil allows nothing
	instead string
}

func newPhrase(not, instead, except string) phrase {
	p := phrase{not: regexp.MustCompile(pattern(not)), instead: instead}
	if except != "" {
		p.except = regexp.MustCompile(pattern(except))
	}
	return p
}

// find returns the places of the phrase in a text.
func (p phrase) find(text string) [][]int {
	if p.except != nil {
		text = p.except.ReplaceAllStringFunc(text, func(s string) string {
			return strings.Map(func(r rune) rune {
				if r == '\n' {
					return r
				}
				return '_'
			}, s)
		})
	}
	return p.not.FindAllStringIndex(text, -1)
}

var quoted = regexp.MustCompile("`([^`]+)`")

// pattern translates the phrases of a cell, each in backquotes: words are
// separated by any white space, "a/b" is either word, and "…" is up to eight words
// within the sentence. A first letter may be large.
func pattern(cell string) string {
	var any []string
	for _, q := range quoted.FindAllStringSubmatch(cell, -1) {
		var b strings.Builder
		b.WriteString(`\b`)
		for i, word := range strings.Fields(q[1]) {
			if word == "…" {
				b.WriteString(`(?:\s+[^\s.;]+){1,8}?`)
				continue
			}
			if i > 0 {
				b.WriteString(`\s+`)
			}
			b.WriteString(`(?:` + strings.ReplaceAll(regexp.QuoteMeta(word), "/", "|") + `)`)
		}
		b.WriteString(`\b`)
		any = append(any, b.String())
	}
	return `(?i:` + strings.Join(any, "|") + `)`
}

func readPhrases(t *testing.T) []phrase {
	t.Helper()
	_, table, _ := strings.Cut(readText(t, stylePage), "| not | but | except |\n|---|---|---|\n")
	var all []phrase
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !quoted.MatchString(cells[1]) {
			t.Fatalf("%s: want a row \"| `not` | but | except |\": %s", stylePage, line)
		}
		all = append(all, newPhrase(cells[1], strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])))
	}
	if len(all) < 10 {
		t.Fatalf("%s lists %d phrases", stylePage, len(all))
	}
	return all
}

// prose is text that people read, without the marks of comments, and where it begins.
type prose struct {
	file  string
	line  int
	words string
}

func proseTexts(t *testing.T) []prose {
	t.Helper()
	var all []prose
	for _, file := range goFiles(t) {
		if file != "style_test.go" { // its examples are phrases
			all = append(all, goTexts(t, file)...)
		}
	}
	for _, file := range documents(t) {
		all = append(all, prose{file, 1, unmark(readText(t, file))})
	}
	return all
}

// goTexts returns the comments and string literals of a Go file.
func goTexts(t *testing.T, file string) []prose {
	t.Helper()
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, file, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var all []prose
	add := func(at token.Pos, text string) {
		all = append(all, prose{file, files.Position(at).Line, unmark(text)})
	}
	for _, group := range f.Comments {
		var lines []string
		for _, c := range group.List {
			lines = append(lines, c.Text)
		}
		add(group.Pos(), strings.Join(lines, "\n"))
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			add(lit.Pos(), lit.Value)
		}
		return true
	})
	return all
}

var mark = regexp.MustCompile(`(?m)^[ \t]*(?://|#+)`)

// unmark takes the marks of comments away, so that a phrase may go over two lines.
func unmark(text string) string { return mark.ReplaceAllString(text, "") }

// documents lists the documents about the present, and the YAML files.
func documents(t *testing.T) []string {
	t.Helper()
	files := []string{"README.md"}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && p != "." && (name == "node_modules" || name == "adr" || strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		p = filepath.ToSlash(p)
		isDocument := path.Dir(p) == "docs" && path.Ext(p) == ".md" && p != stylePage
		isYAML := slices.Contains([]string{".yml", ".yaml"}, path.Ext(p))
		if !d.IsDir() && (isDocument || isYAML) {
			files = append(files, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(files, cmp.Compare)
	return files
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLineWidth wants nothing but a text beyond 120 columns in Go code: what comes behind it
// there closes brackets, or is aligned by gofmt. A tab counts as one column, and a line with
// a directive for the linter may be longer.
func TestLineWidth(t *testing.T) {
	allowed := []token.Token{token.STRING, token.RPAREN, token.RBRACE, token.RBRACK, token.COMMA, token.SEMICOLON,
		token.COLON, token.LBRACE, token.ADD, token.COMMENT}
	for _, file := range goFiles(t) {
		source := []byte(readText(t, file))
		files := token.NewFileSet()
		var s scanner.Scanner
		s.Init(files.AddFile(file, -1, len(source)), source, nil, scanner.ScanComments)
		for pos, tok, _ := s.Scan(); tok != token.EOF; pos, tok, _ = s.Scan() {
			at := files.Position(pos)
			begin := at.Offset - at.Column + 1
			line, _, _ := bytes.Cut(source[begin:], []byte("\n"))
			n := utf8.RuneCount(source[begin:at.Offset]) + 1
			if n > maxComment && !slices.Contains(allowed, tok) && !bytes.Contains(line, []byte("//nolint")) {
				t.Errorf("%s:%d: %s begins in column %d; break the line before it", file, at.Line, tok, n)
				break
			}
		}
	}
}
