package api

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dagwright/reason"
)

// timestamp is a time in an answer: RFC 3339 in UTC with six digits after the
// second or none, as Python writes it; the zero time is null.
type timestamp time.Time

// MarshalJSON writes the time.
func (t timestamp) MarshalJSON() ([]byte, error) {
	at := time.Time(t)
	if at.IsZero() {
		return []byte("null"), nil
	}
	at = at.UTC().Truncate(time.Microsecond)
	layout := `"2006-01-02T15:04:05Z"`
	if at.Nanosecond() != 0 {
		layout = `"2006-01-02T15:04:05.000000Z"`
	}
	return at.AppendFormat(nil, layout), nil
}

// orNull is nil for the empty text.
func orNull[T ~string](text T) *T {
	if text == "" {
		return nil
	}
	return &text
}

// seconds is the time between two moments, nil unless both have come.
func seconds(start, end time.Time) *float64 {
	if start.IsZero() || end.IsZero() {
		return nil
	}
	s := end.Sub(start).Truncate(time.Microsecond).Seconds()
	return &s
}

// uuid makes an id in the form that Airflow's clients expect, always the same
// for the same name (RFC 9562 version 8).
func uuid(name ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(name, "\x00")))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// isoDuration writes a duration as ISO 8601 ("PT12H", "P1DT30M"); nil for zero.
func isoDuration(d time.Duration) *string {
	if d == 0 {
		return nil
	}
	text := "P"
	if days := d / (24 * time.Hour); days > 0 {
		text += fmt.Sprintf("%dD", days)
		d %= 24 * time.Hour
	}
	if d > 0 {
		text += "T"
	}
	if h := d / time.Hour; h > 0 {
		text += fmt.Sprintf("%dH", h)
	}
	if m := d % time.Hour / time.Minute; m > 0 {
		text += fmt.Sprintf("%dM", m)
	}
	if s := d % time.Minute; s > 0 {
		text += strconv.FormatFloat(s.Seconds(), 'f', -1, 64) + "S"
	}
	return &text
}

// timeDelta is a duration in Airflow's serialized form.
type timeDelta struct {
	Type         string `json:"__type"`
	Days         int    `json:"days"`
	Seconds      int    `json:"seconds"`
	Microseconds int    `json:"microseconds"`
}

func newTimeDelta(d time.Duration) timeDelta {
	const day = 24 * time.Hour
	return timeDelta{
		Type: "TimeDelta", Days: int(d / day),
		Seconds: int(d % day / time.Second), Microseconds: int(d % time.Second / time.Microsecond),
	}
}

// reasonAnswer is why a run or a task instance is in its state: a sentence for people,
// and for programs the code and arguments that it was made of. All are null where there
// is no reason.
type reasonAnswer struct {
	Reason *string      `json:"reason"`
	Code   *reason.Code `json:"reason_code"`
	// Args are texts, numbers and further reasons, each with a code and args.
	Args []any `json:"reason_args"`
}

func newReasonAnswer(why reason.Reason) reasonAnswer {
	return reasonAnswer{orNull(why.String()), orNull(why.Code), why.Arguments()}
}
