package tasklog_test

import (
	"strings"
	"testing"

	"dagwright/tasklog"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	const secret = "wJalrXUtnFEMI"
	for text, want := range map[string]string{
		"s3://bucket":          "s3://bucket/",
		"s3://bucket/":         "s3://bucket/",
		"s3://bucket/logs/dev": "s3://bucket/logs/dev/",
		"s3://bucket/logs/?region=eu-central-1&endpoint=https://s3.example.com:9000": "s3://bucket/logs/",
		"file:///srv/logs/":     "file:///srv/logs",
		"bucket":                `begins with ":"`,
		"gs://bucket":           `begins with "gs:"`,
		"s3:///logs":            "names no bucket",
		"s3://bucket:9000/logs": "names no bucket",
		"s3://bucket//logs//x":  "prefix with an empty part",
		"s3://bucket/" + strings.Repeat("x", 200):               "of more than 150 bytes",
		"s3://bucket?endpiont=x":                                `unknown parameter "endpiont"`,
		"s3://bucket?region=a&region=b":                         `the parameter "region" twice`,
		"s3://bucket?endpoint=s3.local":                         "endpoint that is not a plain http:// or https:// address",
		"s3://bucket?endpoint=http://k:" + secret + "@s3.local": "endpoint that is not a plain",
		"s3://key:" + secret + "@bucket":                        "holds credentials, which belong into AWS_ACCESS_KEY_ID",
		"s3://key:" + secret + "%zz@bucket":                     "is not a URL",
		"s3://bucket#x":                                         "has more than bucket",
		"file://srv/logs":                                       "names no absolute folder",
		"file:///srv?create_dir=1":                              "has parameters, which file:/// does not take",
		"file:///srv/%00":                                       "has a control character",
		"file:srv":                                              "has more than bucket",
	} {
		place, err := tasklog.ParseAddress(text)
		if strings.HasPrefix(want, "s3://") || strings.HasPrefix(want, "file:///") {
			if err != nil || place != want {
				t.Errorf("%s: %q, %v; want %q", text, place, err, want)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "want s3://bucket/prefix") {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds the secret: %v", err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("s3://bucket/prefix?region=r&endpoint=http://host")
	f.Add("file:///srv/logs")
	f.Add("s3://key:secret@bucket")
	f.Fuzz(func(t *testing.T, text string) {
		place, err := tasklog.ParseAddress(text)
		if err != nil {
			return
		}
		// The place is an address of the same bucket, without parameters.
		again, err := tasklog.ParseAddress(place)
		if !strings.ContainsAny(place, "?#%") && (err != nil || again != place) {
			t.Errorf("%q names %q, which names %q, %v", text, place, again, err)
		}
	})
}
