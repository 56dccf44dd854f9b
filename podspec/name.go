package podspec

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"dagwright/dag"
)

// The lengths of a pod's name, which is also its host name (RFC 1123, label).
const (
	maxName    = 63
	hashLength = 10
)

// Name returns the name of an attempt's pod: the task's name, or its DAG's and
// its own id, made readable, and a hash of the attempt's key. It is an RFC 1123
// label of at most 63 characters and the same for the same attempt, so that a
// second creation finds the first one's pod.
//
// Airflow adds a random suffix instead, and none with random_name_suffix: false;
// here the hash is always there, since two attempts must not share a name.
func Name(in Input) string {
	words := slug(wantedName(in.Task))
	if words == "" {
		words = slug(string(in.Key.DAG) + "-" + string(in.Key.Task))
	}
	if len(words) > maxName-hashLength-1 {
		words = strings.TrimRight(words[:maxName-hashLength-1], "-")
	}
	return strings.TrimLeft(words+"-"+hash(in.Key), "-")
}

// hash tells attempts apart. The parts of the key are quoted, so that no two keys
// are written alike.
func hash(k dag.AttemptKey) string {
	text := fmt.Appendf(nil, "%q %q %q %d", k.DAG, k.Run, k.Task, k.Try)
	if k.Epoch > 0 { // the first owner's pods keep the names that they always had
		text = fmt.Appendf(text, " %d", k.Epoch)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:hashLength]
}

// wantedName is the name that the spec gives the pod, by Airflow's order.
func wantedName(t dag.Task) string {
	if name, _ := t.Pod["name"].(string); name != "" {
		return name
	}
	for _, field := range []string{"full_pod_spec", "pod_template_dict"} {
		pod, _ := t.Pod[field].(map[string]any)
		metadata, _ := pod["metadata"].(map[string]any)
		if name, _ := metadata["name"].(string); name != "" {
			return name
		}
	}
	return ""
}

// slug keeps the lower-case letters and the digits of a text and writes "-" for
// what stands between them.
func slug(s string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		switch {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.TrimRight(b.String(), "-")
}
