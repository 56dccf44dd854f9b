package ui

import (
	"encoding/base64"
	"strings"

	"github.com/labstack/echo/v4"
)

// maxNotice bounds a notice, which travels in a cookie.
const maxNotice = 1000

// notice makes the next page tell what an act did.
func notice(c echo.Context, text string) {
	if len(text) > maxNotice {
		text = strings.ToValidUTF8(text[:maxNotice], "")
	}
	keepCookie(c, noticeCookie, base64.RawURLEncoding.EncodeToString([]byte(text)))
}

// takeNotice returns the notice of the act before this page, and forgets it.
func takeNotice(c echo.Context) string {
	value := cookie(c, noticeCookie)
	if value == "" || wantsFragment(c) {
		return ""
	}
	keepCookie(c, noticeCookie, "")
	text, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return ""
	}
	return string(text)
}

// wantsFragment reports whether the script reads a page for a part of it.
func wantsFragment(c echo.Context) bool { return c.Request().Header.Get("X-Fragment") != "" }
