package ui

import (
	"testing"
	"time"

	"golang.org/x/text/language"

	"dagwright/dag"
	"dagwright/timetable"
)

func TestScheduleInRussian(t *testing.T) {
	t.Parallel()
	rd := &reader{lang: language.Russian}
	tests := []struct{ expr, want string }{
		{"0 6 * * *", "Каждый день в 06:00"},
		{"30 6,14,22 * * *", "Каждый день в 06:30, 14:30 и 22:30"},
		{"* * * * *", "Каждую минуту"},
		{"*/5 * * * *", "Каждые 5 мин"},
		{"5/10 * * * *", "Каждые 10 мин, начиная с 5-й минуты"},
		{"0 * * * *", "Каждый час"},
		{"45 * * * *", "В 45 мин каждого часа"},
		{"0 */3 * * *", "Каждые 3 ч"},
		{"*/5 3 * * *", "Каждые 5 мин, с 03:00 до 03:59"},
		{"0 6 * * mon-fri", "В 06:00, с понедельника по пятницу"},
		{"0 8-18 * * 1-5", "В начале часа, с 08:00 до 18:59, с понедельника по пятницу"},
		{"0 6 * * 0,6", "В 06:00, по воскресеньям и субботам"},
		{"0 6 * * 1,3,5", "В 06:00, по понедельникам, средам и пятницам"},
		{"0 3 1 * *", "В 03:00, 1-го числа"},
		{"0 6 1,15 * *", "В 06:00, 1 и 15 числа"},
		{"0 6 1-5 * *", "В 06:00, с 1-го по 5-е число месяца"},
		{"0 6 */2 * *", "В 06:00, раз в 2 дн."},
		{"0 6 L * *", "В 06:00, в последний день месяца"},
		{"0 6 15W * *", "В 06:00, в рабочий день, ближайший к 15-му числу"},
		{"0 6 * * 3#1", "В 06:00, в первую среду месяца"},
		{"0 6 * * L2", "В 06:00, в последний вторник месяца"},
		{"0 6 1 jan,jul *", "В 06:00, 1-го числа, в январе и июле"},
		{"0 6 1 3-5 *", "В 06:00, 1-го числа, с марта по май"},
		{"0 6 1 */3 *", "В 06:00, 1-го числа, раз в 3 мес."},
		{"0 6 1 * mon", "В 06:00, 1-го числа или в 06:00, по понедельникам"},
		{"@weekly", "В 00:00, по воскресеньям"},
		{"0 6 * * * 30", "0 6 * * * 30"},
	}
	for _, test := range tests {
		table, err := timetable.Parse(dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: test.expr, Timezone: "UTC"})
		if err != nil {
			t.Fatal(err)
		}
		if got := rd.scheduleWords(table.Description()); got != test.want {
			t.Errorf("%s: %q, want %q", test.expr, got, test.want)
		}
	}
	for _, c := range []struct {
		every dag.Delta
		want  string
	}{
		{dag.Delta{Duration: 6 * time.Hour}, "Каждые 6 ч"}, {dag.Delta{Duration: 24 * time.Hour}, "Каждый день"},
		{dag.Delta{Duration: 7 * 24 * time.Hour}, "Каждую неделю"}, {dag.Delta{Duration: 90 * time.Second}, "Каждые 90 с"},
		{dag.Delta{Months: 1}, "Каждый месяц"}, {dag.Delta{Months: 24}, "Раз в 2 г."},
		{dag.Delta{Months: 1, Duration: 48 * time.Hour}, "Раз в 1 мес. и 2 дн."},
	} {
		table, err := timetable.Parse(dag.Schedule{Kind: dag.ScheduleDelta, Every: c.every})
		if err != nil {
			t.Fatal(err)
		}
		if got := rd.scheduleWords(table.Description()); got != c.want {
			t.Errorf("%s: %q, want %q", c.every, got, c.want)
		}
	}
	for english, want := range map[string]string{
		"On 2027-03-28 02:30 does not exist in Europe/Berlin: the run starts at 03:30.":                                                "2027-03-28 времени 02:30 в поясе Europe/Berlin нет: запуск начинается в 03:30.",
		"On 2026-10-25 02:30 comes twice in Europe/Berlin: the run starts the second time.":                                            "2026-10-25 время 02:30 в поясе Europe/Berlin наступает дважды: запуск начинается во второй раз.",
		"On 2027-03-28 02:00 does not exist in Europe/Berlin: the run starts at 03:00, and those of 02:20 and 02:40 are skipped.":      "2027-03-28 времени 02:00 в поясе Europe/Berlin нет: запуск начинается в 03:00, а запуски в 02:20 и 02:40 пропускаются.",
		"On 2011-12-30 12:00 does not exist in Pacific/Apia: the run starts at 12:00 on 2011-12-31, as one with the run of that time.": "2011-12-30 времени 12:00 в поясе Pacific/Apia нет: запуск начинается в 12:00 2011-12-31, вместе с запуском этого времени.",
		"Something else entirely.": "Something else entirely.",
	} {
		if got := rd.scheduleWords(english); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestScheduleInEnglish(t *testing.T) {
	t.Parallel()
	rd := &reader{lang: language.English}
	for expr, want := range map[string]string{
		"0 6 * * *": "Every day at 06:00", "30 6,14,22 * * *": "Every day at 06:30, 14:30 and 22:30",
		"0 6 * * mon-fri": "At 06:00, Monday through Friday", "* * * * *": "Every minute",
		"0 3 1 * *": "At 03:00, on day 1 of the month",
	} {
		table, err := timetable.Parse(dag.Schedule{Kind: dag.ScheduleCronTrigger, Expr: expr, Timezone: "UTC"})
		if err != nil {
			t.Fatal(err)
		}
		if got := rd.scheduleWords(table.Description()); got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}
