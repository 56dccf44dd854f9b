package dag

// isPortableEnvName reports whether every shell can use s as the name of a
// variable (POSIX, "Environment Variable Definition").
func isPortableEnvName(s string) bool {
	if s == "" || len(s) > maxID || '0' <= s[0] && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// isEnvName reports whether Kubernetes takes s as the name of a container's
// environment variable.
func isEnvName(s string) bool {
	return s != "" && len(s) <= maxID && (s[0] < '0' || s[0] > '9') && idPattern.MatchString(s)
}
