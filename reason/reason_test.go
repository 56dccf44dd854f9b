package reason_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dagwright/reason"
)

func Example() {
	why := reason.New(reason.TaskFailed, "train", reason.New(reason.LogEnds, reason.New(reason.ExitCode, 3), "bad date"))
	fmt.Println(why)
	fmt.Println(why.Code, why.Args)
	// Output:
	// task train failed: exit code 3; the log ends: bad date
	// task_failed ["train",{"code":"log_ends","args":[{"code":"exit_code","args":[3]},"bad date"]}]
}

func TestString(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why  reason.Reason
		want string
	}{
		{reason.Reason{}, ""},
		{reason.Of(""), ""},
		{reason.Of("50%s of it"), "50%s of it"},
		{reason.New(reason.Stopped), "stopped"},
		{reason.New(reason.ImagePull, "ErrImagePull", "not found"), "the image cannot be pulled: ErrImagePull: not found"},
		{reason.New(reason.TaskTimeout, 90*time.Second), "ran longer than its execution_timeout of 1m30s"},
		{reason.New(reason.KubernetesAway, "noon", "%s"),
			"no task is started or followed: Kubernetes has not answered since noon: %s"},
		{reason.New("newer", 1, "b"), "newer: 1: b"},
		{reason.Reason{Code: reason.Evicted, Args: `{"not": "a list"}`}, "evicted"},
	} {
		if got := c.why.String(); got != c.want {
			t.Errorf("%#v: %q, want %q", c.why, got, c.want)
		}
	}
}

// TestJSON wants a Reason back as it was written, and a sentence of an older version to
// be read as one.
func TestJSON(t *testing.T) {
	t.Parallel()
	for _, want := range []reason.Reason{
		{}, reason.New(reason.Stopped), reason.New(reason.CannotRun, "a \"b\"\x00\xff<", 7, reason.New(reason.Ended)),
	} {
		b, err := json.Marshal(want)
		var got reason.Reason
		if err == nil {
			err = json.Unmarshal(b, &got)
		}
		if err != nil || got != want {
			t.Errorf("%#v became %#v by %s, %v", want, got, b, err)
		}
	}
	var old reason.Reason
	if err := json.Unmarshal([]byte(`"exit code 3"`), &old); err != nil || old != reason.Of("exit code 3") {
		t.Errorf("a sentence became %#v, %v", old, err)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	inner := reason.New(reason.ExitCode, 3)
	got := reason.New(reason.LogEnds, inner, "bad", int64(1)<<62).Arguments()
	if diff := cmp.Diff([]any{inner, "bad", json.Number("4611686018427387904")}, got); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

// TestCodes wants codes that are names, and sentences without a stop, which stand in
// other sentences.
func TestCodes(t *testing.T) {
	t.Parallel()
	for _, code := range reason.Codes() {
		if strings.Trim(string(code), "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("code %q", code)
		}
		if words := reason.New(code).String(); words == "" || strings.HasSuffix(words, ".") {
			t.Errorf("%s: %q", code, words)
		}
	}
}
