package ui

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/language"

	"dagwright/reason"
)

// TestEveryReasonIsTranslated wants a Russian sentence for each code, with the places
// of the English one.
func TestEveryReasonIsTranslated(t *testing.T) {
	t.Parallel()
	codes := reason.Codes()
	for _, code := range codes {
		places := strings.Count(reason.New(code).String(), "%s")
		if got, ok := reasonWords[code]; !ok || strings.Count(got, "%") != places {
			t.Errorf("%s has %d places, in Russian it is %q", code, places, got)
		}
	}
	if len(reasonWords) != len(codes) {
		t.Errorf("there are %d codes, and %d Russian lines", len(codes), len(reasonWords))
	}
}

func TestReasonsOfRealRuns(t *testing.T) {
	t.Parallel()
	type R = reason.Reason
	exit := reason.New(reason.ExitCode, 3)
	for _, test := range []struct {
		why              reason.Reason
		english, russian string
	}{
		{R{}, "", ""},
		{exit, "exit code 3", "код выхода 3"},
		{reason.New(reason.TaskFailed, "train_model", reason.New(reason.KilledByCode, "SIGKILL", 137)),
			"task train_model failed: killed by SIGKILL (exit code 137)",
			"таска train_model завершилась ошибкой (прервана сигналом SIGKILL, код выхода 137)"},
		{reason.New(reason.TaskFailed, "a", reason.New(reason.Stopped, reason.New(reason.Cancelled, "alice"))),
			"task a failed: stopped: cancelled by alice",
			"таска a завершилась ошибкой (остановлена: прервана пользователем alice)"},
		{reason.New(reason.RuleFailed, "all_success",
			reason.New(reason.Both, reason.New(reason.TaskIs, "step_9", "upstream_failed"),
				reason.New(reason.TaskIs, "b", "failed"))),
			"trigger rule all_success cannot be met: step_9 (upstream failed), b (failed)",
			"условие запуска all_success невыполнимо: step_9 (не запущена: ошибка в предыдущей таске), b (ошибка)"},
		{reason.New(reason.WaitsForTasks, reason.New(reason.AndMore, reason.New(reason.TaskNotStarted, "a"), 4)),
			"waits for a (not started) and 4 more", "ждёт: a (не начата) и ещё 4"},
		{reason.New(reason.WaitsForQuota, "exceeded quota: pods=3"), "waits for quota: exceeded quota: pods=3",
			"ждёт квоту: exceeded quota: pods=3"},
		{reason.New(reason.InInit, "setup", reason.New(reason.ImagePull, "ErrImagePull", "not found")),
			"init container setup: the image cannot be pulled: ErrImagePull: not found",
			"init-контейнер setup: образ не скачивается: ErrImagePull: not found"},
		{reason.New(reason.LogEnds, exit, "100%s: bad date"), "exit code 3; the log ends: 100%s: bad date",
			"код выхода 3; конец лога: 100%s: bad date"},
		{reason.New(reason.AfterStop, reason.New(reason.KilledBy, "SIGTERM")), "killed by SIGTERM after it was stopped",
			"прервана сигналом SIGTERM после остановки"},
		{reason.New(reason.NeverStarts, "image: is empty"),
			"not started and not retried, because every try would fail the same way: image: is empty",
			"не начата и не будет повторяться, потому что любая попытка закончится так же: image: is empty"},
		{reason.New(reason.NotStarted, "image: is empty"), "not started: image: is empty", "не начата: image: is empty"},
		{reason.New(reason.RunEnded, "failed"), "stopped, since the run had ended as failed",
			"остановлена: запуск уже завершился (ошибка)"},
		{reason.New(reason.TaskMarkedFailed, "alice"), "marked failed by alice",
			"помечена как упавшая пользователем alice"},
		{reason.Of("words of an older dagwright"), "words of an older dagwright", "words of an older dagwright"},
		{reason.New("of_a_newer_dagwright", "x", 2), "of_a_newer_dagwright: x: 2", "of_a_newer_dagwright: x: 2"},
		{R{Code: reason.ExitCode, Args: "[damaged"}, "exit code %s", "код выхода %s"},
	} {
		for lang, want := range map[language.Tag]string{language.English: test.english, language.Russian: test.russian} {
			if got := (&reader{lang: lang}).reason(test.why); got != want {
				t.Errorf("%s in %v:\n got %q\nwant %q", fmt.Sprint(test.why), lang, got, want)
			}
		}
	}
}
