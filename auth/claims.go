package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Claims are what an identity provider says of somebody.
type Claims struct {
	Name   string
	Groups []string
	all    map[string]any
}

// maxClaims bounds what is kept of somebody's claims, as JSON.
const maxClaims = 64 << 10

// protocolClaims belong to a token and not to a person.
var protocolClaims = []string{"aud", "azp", "exp", "nbf", "iat", "auth_time", "jti", "nonce", "at_hash", "c_hash",
	"s_hash", "sid", "session_state", "acr", "amr", "typ"}

// encode is what is kept of the claims: JSON without what belongs to the token.
func encodeClaims(all map[string]any) (string, error) {
	for _, name := range protocolClaims {
		delete(all, name)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	if len(text) > maxClaims {
		return "", errors.New(
			"the claims are longer than 64 KiB: let the identity provider send only the groups that the rules name")
	}
	return string(text), nil
}

// decodeClaims reads what encodeClaims wrote. groups and name are the names of the
// claims that hold them; name may be empty.
func decodeClaims(text, groups, name string) (Claims, error) {
	c := Claims{}
	if err := json.Unmarshal([]byte(text), &c.all); err != nil {
		return c, fmt.Errorf("decode claims: %w", err)
	}
	for _, group := range c.Values(groups) {
		// Keycloak writes groups as paths unless it is told otherwise.
		c.Groups = append(c.Groups, strings.TrimPrefix(group, "/"))
	}
	names := []string{name}
	if name == "" {
		names = []string{"preferred_username", "email", "name"}
	}
	for _, claim := range append(names, "sub") {
		if values := c.Values(claim); len(values) > 0 && cleanName(values[0]) != "" {
			c.Name = cleanName(values[0])
			break
		}
	}
	return c, nil
}

// cleanName makes a name fit for a line of a page and of the audit log.
func cleanName(name string) string {
	const most = 200
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "")))
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "")
	}
	return name
}

// Values are the values of a claim as texts; none when it is absent or no text,
// number, truth value or list of these. "realm_access.roles" names a claim inside of
// another one, unless there is a claim of that very name.
func (c Claims) Values(claim string) []string { return claimValues(c.all, claim) }

func claimValues(all map[string]any, claim string) []string {
	if value, ok := all[claim]; ok {
		return texts(value)
	}
	outer, inner, ok := strings.Cut(claim, ".")
	if !ok {
		return nil
	}
	inside, _ := all[outer].(map[string]any)
	return claimValues(inside, inner)
}

func texts(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case bool:
		return []string{strconv.FormatBool(v)}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	case []any:
		var all []string
		for _, item := range v {
			if _, nested := item.([]any); !nested {
				all = append(all, texts(item)...)
			}
		}
		return all
	}
	return nil
}
