// Package redact keeps credentials out of what errors quote.
//
// Clients of GitLab and of git put the text of a refusal into their errors, and some
// proxies say back in it what they were sent. Whoever sends credentials over HTTP has
// this package take them out before anybody reads the answer.
package redact

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// maxRefusal is how much is read of what a server says with a refusal.
const maxRefusal = 64 << 10

// Refusal removes the request's credentials from the text of a refusal: errors quote that
// text, and some proxies say back what they were sent.
func Refusal(request *http.Request, response *http.Response) {
	if response.StatusCode < http.StatusBadRequest || response.Body == nil {
		return
	}
	// What cannot be read is missing from the text; the status says enough.
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	_, password, _ := request.BasicAuth()
	_, credentials, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	for _, secret := range []string{password, credentials, request.Header.Get("Private-Token")} {
		if secret != "" {
			text = bytes.ReplaceAll(text, []byte(secret), []byte("[secret]"))
		}
	}
	response.ContentLength = int64(len(text))
	response.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(text), response.Body}
}
