package dagwright

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "dagwright"

// TestImportTable checks the code against the table in docs/architecture.md:
// each package is in it, and imports nothing of this module that its row does
// not allow.
func TestImportTable(t *testing.T) {
	allowed := readTable(t)
	for pkg, imports := range importsOfPackages(t) {
		may, ok := allowed[pkg]
		if !ok {
			t.Errorf("package %s has no row in docs/architecture.md", pkg)
			continue
		}
		for _, imported := range imports {
			if !slices.Contains(may, "all") && !slices.Contains(may, imported) {
				t.Errorf("package %s imports %s; docs/architecture.md allows %v", pkg, imported, may)
			}
		}
	}
	for pkg := range allowed {
		if _, err := os.Stat(filepath.FromSlash(pkg)); err != nil {
			t.Errorf("docs/architecture.md has a row for %s, which does not exist", pkg)
		}
	}
}

// TestPackageDocs wants a doc comment of three lines or more on each package.
func TestPackageDocs(t *testing.T) {
	docs := map[string]int{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(f.Doc.Text(), "\n")
		docs[path.Dir(file)] = max(docs[path.Dir(file)], lines)
	}
	for pkg, lines := range docs {
		if lines < 3 {
			t.Errorf("package %s has a doc comment of %d lines, want 3 or more", pkg, lines)
		}
	}
}

// TestTopLevel holds the entries that the project promises to have.
func TestTopLevel(t *testing.T) {
	for _, name := range []string{
		"cmd", "generator", "scheduler", "webhook", "templates", "testdata",
		"go.mod", "go.sum", "Dockerfile", ".gitlab-ci.yml",
	} {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("top-level entry is missing: %v", err)
		}
	}
}

// readTable reads the rows "| folder | purpose | may import |" of the house
// table. A cell may name several packages, separated by commas or spaces.
func readTable(t *testing.T) map[string][]string {
	t.Helper()
	f, err := os.Open("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := map[string][]string{}
	lines := bufio.NewScanner(f)
	inside := false
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "|")
		if len(cells) != 5 {
			inside = false
			continue
		}
		folder, may := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[3])
		if folder == "folder" {
			inside = true
		}
		if !inside || folder == "folder" || strings.HasPrefix(folder, "-") {
			continue
		}
		imports := strings.FieldsFunc(may, func(r rune) bool { return r == ',' || r == ' ' || r == '–' })
		for _, pkg := range strings.FieldsFunc(folder, func(r rune) bool { return r == ',' || r == ' ' }) {
			table[pkg] = imports
		}
	}
	if len(table) < 5 {
		t.Fatalf("docs/architecture.md has no house table: %d rows", len(table))
	}
	return table
}

// importsOfPackages maps each package to the packages of this module that its
// non-test files import.
func importsOfPackages(t *testing.T) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	for _, file := range goFiles(t) {
		pkg := path.Dir(file)
		if strings.HasSuffix(file, "_test.go") || pkg == "." {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		imports[pkg] = append(imports[pkg], moduleImports(f.Imports)...)
	}
	return imports
}

func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || isModule(p)) {
			return fs.SkipDir
		}
		if path.Ext(p) == ".go" {
			files = append(files, filepath.ToSlash(p))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// isModule says whether a folder is a module of its own, which has its own rules.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func moduleImports(specs []*ast.ImportSpec) []string {
	var out []string
	for _, s := range specs {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			continue
		}
		if rest, ok := strings.CutPrefix(p, module+"/"); ok {
			out = append(out, rest)
		}
	}
	return out
}
