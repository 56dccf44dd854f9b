// Package version says which version of dagwright this program is: for people, for
// servers that it calls, and for what has to be done again when the program is another
// one, such as checking the specs.
package version

import "runtime/debug"

// release is set by the release build (-ldflags "-X dagwright/version.release=v1.2.3").
var release = ""

// String is the release's version, else the commit that was built, else "devel".
func String() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(len(s.Value), 12)]
		}
	}
	return "devel"
}

// CommandLine is how dagwright's command line names itself to a server, followed by a
// slash and its version. What it does is written to the audit log as done via "cli" instead
// of "rest_api".
const CommandLine = "dagwright-cli"
