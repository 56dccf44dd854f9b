package ui

import (
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// contentSecurityPolicy lets a page load and reach nothing but this server: no inline
// script or style, no frames, no plug-ins. The forms that sign in and out lead on to
// the identity provider, and browsers apply form-action to redirects, too.
func (s *server) contentSecurityPolicy() string {
	forms := strings.Join(append([]string{"'self'"}, s.Auth.FormOrigins()...), " ")
	return "default-src 'self'; base-uri 'none'; form-action " + forms + "; frame-ancestors 'none'; object-src 'none'"
}

// headers sets the security headers of every page.
func (s *server) headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", s.contentSecurityPolicy())
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		return next(c)
	}
}

// compress gzips answers of more than a packet. Pages hold no secret that a
// length could give away (there are no form tokens).
func compress() echo.MiddlewareFunc {
	return middleware.GzipWithConfig(middleware.GzipConfig{
		MinLength: 1400,
		Skipper:   func(c echo.Context) bool { return c.QueryParam("download") != "" },
	})
}

func isAPI(path string) bool {
	return strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/hooks/")
}
