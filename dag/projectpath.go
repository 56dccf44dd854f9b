package dag

// SamePath reports whether two paths of GitLab are those of one project or group. GitLab
// takes paths that differ by upper and lower case alone for the same, and has none with
// letters beyond ASCII: others are compared as they are.
func SamePath(a, b string) bool { return len(a) == len(b) && hasPathPrefix(a, b) }

// IsBelowPath reports whether a project lies in a group, however deep: gbc/risk/churn-model
// lies in gbc and in gbc/risk, and gbc-evil/x does not lie in gbc.
func IsBelowPath(project, group string) bool {
	return group != "" && len(project) > len(group)+1 && project[len(group)] == '/' && hasPathPrefix(project, group)
}

// IsOfPath reports whether a path is that of the project or of a group above it.
func IsOfPath(project, path string) bool {
	return project != "" && SamePath(project, path) || IsBelowPath(project, path)
}

// hasPathPrefix reports whether a path begins with another, upper and lower case apart.
func hasPathPrefix(path, prefix string) bool {
	if len(path) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lowerASCII(path[i]) != lowerASCII(prefix[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
