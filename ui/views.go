package ui

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"dagwright/auth"
	"dagwright/dag"
)

//go:embed html/*.html
var htmlFiles embed.FS

//go:embed static
var staticFiles embed.FS

// views holds the templates, for each language, and the static files.
type views struct {
	printers  map[language.Tag]*message.Printer
	templates map[language.Tag]*template.Template
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
	v := &views{printers: printers(), templates: map[language.Tag]*template.Template{}, assets: map[string]asset{}}
	entries, _ := fs.ReadDir(staticFiles, "static")
	for _, entry := range entries {
		content, _ := staticFiles.ReadFile(path.Join("static", entry.Name()))
		sum := sha256.Sum256(content)
		v.assets[entry.Name()] = asset{content, contentType(entry.Name()), hex.EncodeToString(sum[:6])}
	}
	for tag, p := range v.printers {
		v.templates[tag] = template.Must(template.New("").Funcs(v.funcs(p)).ParseFS(htmlFiles, "html/*.html"))
	}
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

// funcs are the functions that templates may call: t gives a text in p's
// language, and th one whose catalogue entry is HTML (its arguments are not).
func (v *views) funcs(p *message.Printer) template.FuncMap {
	return template.FuncMap{
		"asset":  v.asset,
		"commit": shortCommit,
		"key":    rand.Text,
		"t":      func(key string, args ...any) string { return p.Sprintf(key, args...) },
		"th": func(key string, args ...any) template.HTML {
			for i, a := range args {
				// Ids and the like are texts of types of their own.
				if v := reflect.ValueOf(a); v.Kind() == reflect.String {
					args[i] = html.EscapeString(v.String())
				}
			}
			return template.HTML(p.Sprintf(key, args...))
		},
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
	Production  bool
	Sibling     Sibling
	User        string
	SignedIn    bool   // there is a session to end
	Role        string // of the signed-in person, in words
	Section     string // which entry of the navigation is current
	Live        string // what the change feed must be about to refresh the page: a dag.ID, "*" for anything, "" for nothing
	LiveProject string // a model's project, whose pushes refresh the page too
	Mark        string // names the newest change that the page shows
	Here        string // this page's address, to come back to
	Self        string // the address that names exactly what the page shows, to be read again after a change; Here when empty
	About       string // what the page shows, where that may become another thing: the page is then replaced as a whole
	Clock       string // in the reader's zone
	ClockZone   string // its IANA name
	Now         string // when the page was made, by which the script's clock goes
	Lang        string
	Theme       string
	Zone        string // zoneUTC, zoneDAG or an IANA name
	OwnZone     bool
	Languages   []Choice
	Notice      string   // what the last act did
	Troubles    []string // what of the instance does not work, where the reader may know
	Texts       string   // what the script says, as JSON
}

// Choice is an entry of a menu.
type Choice struct {
	Value, Name string
	Current     bool
}

// Sibling is another instance, such as PROD beside DEV.
type Sibling struct{ Name, URL string }

// Types of runs, by their names in Airflow.
var _ = []string{say("manual"), say("scheduled"), say("backfill")}

// scriptTexts are the texts that the script shows.
var scriptTexts = []string{
	say("The server did not respond. If the action was done anyway, the page will show it."),
	say("The server is not responding. Try again in a moment."), say("The server is not responding. Trying again…"),
	say("Following the log…"), say("The log is complete."), say("The connection is lost; trying again…"),
	say("The log is shorter than what is shown: something has truncated it. Reload the page."),
	say("The log is no longer followed: reload the page."), say("just now"), say("in less than a minute"),
	say("%d min"), say("%d h"), say("%d d"), say("in %s"), say("%s ago"), say("no match"),
	say("%.0f s"), say("%d min %d s"), say("%d h %d min"), say("%d B"), say("%.1f KiB"), say("%.1f MiB"),
	say("You have unsaved input here. Press Esc again to discard it."),
	say("You have unsaved input here. Close the window with ✕ to discard it."), say("Replace what you have typed?"),
}

func (s *server) page(c echo.Context, title string) Page {
	rd := s.reader(c)
	clock, zone := rd.in(rd.now, "")
	p := Page{
		Title: title, Environment: s.Environment, Production: s.Production, Sibling: s.Sibling, User: s.User(c),
		SignedIn: auth.From(c.Request().Context()).Person(),
		Here:     c.Request().URL.RequestURI(), Clock: clock.Format("15:04 ") + zone, ClockZone: zone,
		Now:  rd.now.UTC().Format(time.RFC3339Nano),
		Lang: rd.lang.String(), Theme: rd.theme, Zone: rd.zone, OwnZone: rd.own != nil, Notice: takeNotice(c),
	}
	who := auth.From(c.Request().Context())
	if p.Role = rd.roleWords(who); who.Via == "none" {
		p.User = "" // the instance asks nobody: there is no name to tell
	}
	if s.Troubles != nil && mayHere(c, dag.RightRead) {
		for _, trouble := range s.Troubles() {
			p.Troubles = append(p.Troubles, rd.reason(trouble))
		}
	}
	p.Mark, _ = c.Get("mark").(string)
	if c.Request().Method != http.MethodGet {
		p.Here = "/"
	}
	if p.Sibling.URL != "" {
		p.Sibling.URL = strings.TrimSuffix(p.Sibling.URL, "/") + sameElsewhere(p.Here)
	}
	for i, tag := range languages {
		p.Languages = append(p.Languages, Choice{tag.String(), languageNames[i], tag == rd.lang})
	}
	if !wantsFragment(c) {
		p.Texts = scriptTextsFor(rd)
	}
	return p
}

// scriptTextsFor gives the script its words in the reader's language.
func scriptTextsFor(rd *reader) string {
	texts := make(map[string]string, len(scriptTexts))
	for _, key := range scriptTexts {
		texts[key] = key
		if rd.lang == language.Russian {
			texts[key] = russian[key] // as a format, not formatted
		}
	}
	text, err := json.Marshal(texts)
	if err != nil {
		return "{}" // strings can always be written
	}
	return string(text)
}

// render writes a page only when all of it could be made.
func (s *server) render(c echo.Context, status int, name string, data any) error {
	var b bytes.Buffer
	if err := s.views.templates[s.reader(c).lang].ExecuteTemplate(&b, name+".html", data); err != nil {
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
