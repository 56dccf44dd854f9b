package ui

import (
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// The cookies that hold what a person chose.
const (
	languageCookie = "dagwright_language"
	themeCookie    = "dagwright_theme"
	zoneCookie     = "dagwright_zone"
	noticeCookie   = "dagwright_notice"
)

// The choices of a time zone that are not IANA names.
const (
	zoneUTC = "utc"
	zoneDAG = "dag" // that of the DAG which a time is about
)

// themes are the looks to choose from; "" follows the system.
var themes = []string{"", "light", "dark"}

// reader is the person behind a request, as far as pages differ for people.
type reader struct {
	*message.Printer
	lang  language.Tag
	theme string
	zone  string         // zoneUTC, zoneDAG or an IANA name
	own   *time.Location // of an IANA name
	now   time.Time
	zones *zones
}

var languageMatcher = language.NewMatcher(languages)

// reader finds out who reads; it is the same for the whole request.
func (s *server) reader(c echo.Context) *reader {
	if rd, ok := c.Get("reader").(*reader); ok {
		return rd
	}
	rd := &reader{zone: zoneUTC, now: s.Now(), zones: s.zones}
	_, i := language.MatchStrings(languageMatcher, cookie(c, languageCookie), c.Request().Header.Get("Accept-Language"))
	rd.lang = languages[i]
	rd.Printer = s.views.printers[rd.lang]
	if theme := cookie(c, themeCookie); slices.Contains(themes, theme) {
		rd.theme = theme
	}
	rd.setZone(cookie(c, zoneCookie))
	c.Set("reader", rd)
	return rd
}

// setZone takes a choice, or nothing when it names no zone.
func (rd *reader) setZone(zone string) bool {
	switch zone {
	case zoneUTC, zoneDAG:
		rd.zone, rd.own = zone, nil
		return true
	case "", "Local":
		return false
	}
	loc, err := rd.zones.load(zone)
	if err == nil {
		rd.zone, rd.own = zone, loc
	}
	return err == nil
}

// t is a text in the reader's language.
func (rd *reader) t(key string, args ...any) string { return rd.Sprintf(key, args...) }

func cookie(c echo.Context, name string) string {
	found, err := c.Cookie(name)
	if err != nil {
		return ""
	}
	return found.Value
}

// keepCookie remembers a choice for a year; nothing is forgotten at once.
func keepCookie(c echo.Context, name, value string) {
	age := int((365 * 24 * time.Hour).Seconds())
	if value == "" {
		age = -1
	}
	c.SetCookie(&http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: c.IsTLS(),
	})
}

// saveSettings keeps what the form of the settings menu chose. The zone "mine"
// comes with the browser's zone in own_zone.
func (s *server) saveSettings(c echo.Context) error {
	rd := s.reader(c)
	if chosen, ok := languageOf(c.FormValue("language")); ok {
		keepCookie(c, languageCookie, chosen)
	}
	if theme := c.FormValue("theme"); slices.Contains(themes, theme) {
		keepCookie(c, themeCookie, theme)
	}
	zone := c.FormValue("zone")
	if zone == "mine" {
		zone = c.FormValue("own_zone")
	}
	if rd.setZone(zone) {
		keepCookie(c, zoneCookie, zone)
	}
	return c.Redirect(http.StatusSeeOther, localPath(c.FormValue("back"), "/"))
}

func languageOf(text string) (string, bool) {
	for _, tag := range languages {
		if tag.String() == text {
			return text, true
		}
	}
	return "", false
}
