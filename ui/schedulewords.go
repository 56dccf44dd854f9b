package ui

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/language"
)

// scheduleWords puts what timetable says about a schedule into the reader's
// language. What has no translation stays English: half a sentence in each would
// help nobody.
func (rd *reader) scheduleWords(english string) string {
	if rd.lang != language.Russian {
		if times, ok := strings.CutPrefix(english, "At "); ok && plainTimes.MatchString(times) {
			return "Every day at " + times
		}
		return english
	}
	text := scheduleTerms.Replace(english)
	for _, r := range scheduleRules {
		text = r.find.ReplaceAllString(text, r.russian)
	}
	text = dayNames.Replace(text)
	if latin.MatchString(zoneName.ReplaceAllString(text, "")) {
		return english
	}
	if plainTime.MatchString(text) {
		return "Каждый день " + text
	}
	r := []rune(text)
	return string(unicode.ToUpper(r[0])) + string(r[1:])
}

var (
	latin    = regexp.MustCompile(`[A-Za-z]{2,}`)
	zoneName = regexp.MustCompile(`[A-Z][A-Za-z_]+/[A-Za-z_/+-]+|UTC`)
	// plainTimes are times of day and nothing else.
	plainTimes = regexp.MustCompile(`^[\d:]+(?:(?:, | and |, and )[\d:]+)*$`)

	plainTime = regexp.MustCompile(`^в [\d:]+(?:(?:, | и )[\d:]+)*$`)
)

// scheduleTerms are fixed expressions.
var scheduleTerms = strings.NewReplacer(
	"Never, external triggers only", "никогда сам, только вручную",
	"Once, as soon as possible", "один раз, как можно скорее",
	"As frequently as possible, but only one run at a time.", "так часто, как возможно, но по одному запуску",
	" (or) ", " или ", ", and ", " и ", " and ", " и ", "At ", "в ", "Every ", "every ",
	"on the last day of the month", "в последний день месяца",
	"on the first weekday of the month", "в первый рабочий день месяца",
)

// scheduleRules translate expressions with values, in this order.
var scheduleRules = []struct {
	find    *regexp.Regexp
	russian string
}{
	{regexp.MustCompile(`(?:at|в) 0 minutes past the hour`), "в начале часа"},
	{regexp.MustCompile(`starting at (\d+) minutes past the hour`), "начиная с $1-й минуты"},
	{regexp.MustCompile(`(?:at|в) ([\d, и]+) minutes past the hour`), "в $1 мин каждого часа"},
	{regexp.MustCompile(`minutes (\d+) through (\d+) past the hour`), "с $1-й по $2-ю минуту"},
	{regexp.MustCompile(`every second`), "каждую секунду"},
	{regexp.MustCompile(`every minute`), "каждую минуту"},
	{regexp.MustCompile(`every hour`), "каждый час"},
	{regexp.MustCompile(`every day`), "каждый день"},
	{regexp.MustCompile(`every week`), "каждую неделю"},
	{regexp.MustCompile(`every month`), "каждый месяц"},
	{regexp.MustCompile(`every year`), "каждый год"},
	{regexp.MustCompile(`every (\d+) seconds`), "каждые $1 с"},
	{regexp.MustCompile(`every (\d+) minutes`), "каждые $1 мин"},
	{regexp.MustCompile(`every (\d+) hours`), "каждые $1 ч"},
	{regexp.MustCompile(`every (\d+) days of the week`), "каждый $1-й день недели"},
	{regexp.MustCompile(`every (\d+) days`), "раз в $1 дн."},
	{regexp.MustCompile(`every (\d+) weeks`), "раз в $1 нед."},
	{regexp.MustCompile(`every (\d+) months?`), "раз в $1 мес."},
	{regexp.MustCompile(`every (\d+) years?`), "раз в $1 г."},
	{regexp.MustCompile(` и (\d+) seconds?$`), " и $1 с"},
	{regexp.MustCompile(` и (\d+) minutes?$`), " и $1 мин"},
	{regexp.MustCompile(` и (\d+) hours?$`), " и $1 ч"},
	{regexp.MustCompile(` и (\d+) days?$`), " и $1 дн."},
	{regexp.MustCompile(` и (\d+) weeks?$`), " и $1 нед."},
	{regexp.MustCompile(`between day (\d+) и (\d+) of the month`), "с $1-го по $2-е число месяца"},
	{regexp.MustCompile(`between ([\d:]+) и ([\d:]+)`), "с $1 до $2"},
	{regexp.MustCompile(`on day (\d+) of the month`), "$1-го числа"},
	{regexp.MustCompile(`on day ([\d, и]+) of the month`), "$1 числа"},
	{regexp.MustCompile(`on the weekday nearest day (\d+) of the month`), "в рабочий день, ближайший к $1-му числу"},
	{regexp.MustCompile(`on the (first|second|third|fourth|fifth|last) (\w+day) of the month`), "в $1-$2 месяца"},
	{regexp.MustCompile(`(\w+day) through (\w+day)`), "с of-$1 по to-$2"},
	{regexp.MustCompile(`only on (\w+day)`), "по on-$1"},
	{regexp.MustCompile(`, (\w+day)`), ", on-$1"},
	{regexp.MustCompile(` и (\w+day)`), " и on-$1"},
	{regexp.MustCompile(`only in `), "в "},
	{regexp.MustCompile(
		`(January|February|March|April|May|June|July|August|September|October|November|December) through (\w+)`),
		"с of-$1 по to-$2"},

	{regexp.MustCompile(
		`On ([\d-]+) the time from ([\d:]+) to ([\d:]+) comes twice in (\S+): the runs in it start when it comes the second time\.`),
		"$1 время с $2 до $3 в поясе $4 наступает дважды: запуски из него начинаются во второй раз."},
	{regexp.MustCompile(`On ([\d-]+) ([\d:]+) comes twice in (\S+): the run starts the second time\.`),
		"$1 время $2 в поясе $3 наступает дважды: запуск начинается во второй раз."},
	{regexp.MustCompile(`On ([\d-]+) ([\d:]+) does not exist in (\S+): the run starts at ([\d:]+)`),
		"$1 времени $2 в поясе $3 нет: запуск начинается в $4"},
	{regexp.MustCompile(` on (\d{4}-\d\d-\d\d)`), " $1"},
	{regexp.MustCompile(`, as one with the run of that time`), ", вместе с запуском этого времени"},
	{regexp.MustCompile(` и the run of ([\d:]+) is skipped`), ", а запуск в $1 пропускается"},
	{regexp.MustCompile(` и those of ([\d:, и]+) и more are skipped`), ", а запуски в $1 и далее пропускаются"},
	{regexp.MustCompile(` и those of ([\d:, и]+) are skipped`), ", а запуски в $1 пропускаются"},
}

// dayNames puts days and months into the case that the rules ask for.
var dayNames = newDayNames()

func newDayNames() *strings.Replacer {
	var pairs []string
	ordinals := []string{"first", "second", "third", "fourth", "fifth", "last"}
	forms := map[string][]string{
		"m": {"первый", "второй", "третий", "четвёртый", "пятый", "последний"},
		"f": {"первую", "вторую", "третью", "четвёртую", "пятую", "последнюю"},
		"n": {"первое", "второе", "третье", "четвёртое", "пятое", "последнее"},
	}
	for _, d := range []struct{ english, gender, of, to, on string }{
		{"Monday", "m", "понедельника", "понедельник", "понедельникам"}, {"Tuesday", "m", "вторника", "вторник", "вторникам"},
		{"Wednesday", "f", "среды", "среду", "средам"}, {"Thursday", "m", "четверга", "четверг", "четвергам"},
		{"Friday", "f", "пятницы", "пятницу", "пятницам"}, {"Saturday", "f", "субботы", "субботу", "субботам"},
		{"Sunday", "n", "воскресенья", "воскресенье", "воскресеньям"},
	} {
		pairs = append(pairs, "of-"+d.english, d.of, "to-"+d.english, d.to, "on-"+d.english, d.on)
		for i, o := range ordinals {
			pairs = append(pairs, o+"-"+d.english, forms[d.gender][i]+" "+d.to)
		}
	}
	for _, m := range []struct{ english, of, to, in string }{
		{"January", "января", "январь", "январе"}, {"February", "февраля", "февраль", "феврале"},
		{"March", "марта", "март", "марте"},
		{"April", "апреля", "апрель", "апреле"}, {"May", "мая", "май", "мае"}, {"June", "июня", "июнь", "июне"},
		{"July", "июля", "июль", "июле"}, {"August", "августа", "август", "августе"},
		{"September", "сентября", "сентябрь", "сентябре"},
		{"October", "октября", "октябрь", "октябре"}, {"November", "ноября", "ноябрь", "ноябре"},
		{"December", "декабря", "декабрь", "декабре"},
	} {
		pairs = append(pairs, "of-"+m.english, m.of, "to-"+m.english, m.to, m.english, m.in)
	}
	return strings.NewReplacer(pairs...)
}
