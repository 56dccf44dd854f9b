package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"

	"github.com/labstack/echo/v4"
)

//go:embed html/*.html
var htmlFiles embed.FS

//go:embed static
var staticFiles embed.FS

// views holds the templates and the static files.
type views struct {
	templates *template.Template
	assets    map[string]asset
}

// asset is a static file; its digest in the address lets browsers keep it.
type asset struct {
	content []byte
	kind    string
	digest  string
}

// newViews parses the embedded files. They are part of the program, so a fault
// in them is a fault of the build: every test of this package would fail.
func newViews() *views {
	v := &views{assets: map[string]asset{}}
	entries, _ := fs.ReadDir(staticFiles, "static")
	for _, entry := range entries {
		content, _ := staticFiles.ReadFile(path.Join("static", entry.Name()))
		sum := sha256.Sum256(content)
		v.assets[entry.Name()] = asset{content, contentType(entry.Name()), hex.EncodeToString(sum[:6])}
	}
	v.templates = template.Must(template.New("").Funcs(v.funcs()).ParseFS(htmlFiles, "html/*.html"))
	return v
}

// contentType does not depend on the machine's mime tables.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// funcs are the functions that templates may call.
func (v *views) funcs() template.FuncMap {
	return template.FuncMap{
		"asset":  v.asset,
		"commit": shortCommit,
	}
}

// asset is the address of a static file.
func (v *views) asset(name string) string {
	return "/static/" + name + "?v=" + v.assets[name].digest
}

// Page is what every page has.
type Page struct {
	Title       string
	Environment string
	User        string
	Section     string // which entry of the navigation is current
	Events      string // address of the change feed that keeps the page fresh
	Now         time.Time
}

func (s *server) page(c echo.Context, title string) Page {
	return Page{Title: title, Environment: s.Environment, User: s.User(c), Now: s.Now().UTC()}
}

// render writes a page only when all of it could be made.
func (s *server) render(c echo.Context, status int, name string, data any) error {
	var b bytes.Buffer
	if err := s.views.templates.ExecuteTemplate(&b, name+".html", data); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	return c.HTMLBlob(status, b.Bytes())
}

// static serves a file of the program.
func (s *server) static(c echo.Context) error {
	a, ok := s.views.assets[c.Param("file")]
	if !ok {
		return notFound("There is no such file.")
	}
	if c.QueryParam("v") == a.digest {
		c.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	return c.Blob(http.StatusOK, a.kind, a.content)
}
