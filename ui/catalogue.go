package ui

import (
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
)

// languages are those that pages speak, the first one by default.
var languages = []language.Tag{language.English, language.Russian}

// languageNames are the languages as their speakers name them, in the order of
// languages.
var languageNames = []string{"English", "Русский"}

// plurals are the texts whose words depend on a number, which is their first
// argument. en has one and other; ru has one, few and many.
var plurals = []struct {
	key string
	en  [2]string
	ru  [3]string
}{
	{"%d DAGs", [2]string{"%d DAG", "%d DAGs"}, [3]string{"%d DAG", "%d DAG-а", "%d DAG-ов"}},
	{"%d runs", [2]string{"%d run", "%d runs"}, [3]string{"%d запуск", "%d запуска", "%d запусков"}},
	{"%d broken files", [2]string{"%d broken file", "%d broken files"},
		[3]string{"%d файл с ошибками", "%d файла с ошибками", "%d файлов с ошибками"}},
	{"%d tasks were cleared", [2]string{"%d task was cleared", "%d tasks were cleared"},
		[3]string{"Перезапущена %d таска", "Перезапущено %d таски", "Перезапущено %d тасок"}},
	{"%d archived DAGs match", [2]string{"%d archived DAG matches", "%d archived DAGs match"},
		[3]string{"Подходит %d DAG из архива", "Подходят %d DAG-а из архива", "Подходят %d DAG-ов из архива"}},
	{"%d pushes to models were rejected",
		[2]string{"%d push to a model was rejected", "%d pushes to models were rejected"},
		[3]string{"Отклонён %d коммит модели", "Отклонено %d коммита моделей", "Отклонено %d коммитов моделей"}},
	{"%d DAGs changed", [2]string{"%d DAG changed", "%d DAGs changed"},
		[3]string{"Изменён %d DAG", "Изменено %d DAG-а", "Изменено %d DAG-ов"}},
	{"%d runs were started", [2]string{"%d run was started", "%d runs were started"},
		[3]string{"Создан %d запуск", "Создано %d запуска", "Создано %d запусков"}},
	{"%d runs changed", [2]string{"%d run changed", "%d runs changed"},
		[3]string{"Изменён %d запуск", "Изменено %d запуска", "Изменено %d запусков"}},
	{"Clear %d tasks", [2]string{"Clear %d task", "Clear %d tasks"},
		[3]string{"Перезапустить %d таску", "Перезапустить %d таски", "Перезапустить %d тасок"}},
	{"Mark %d runs as success", [2]string{"Mark %d run as success", "Mark %d runs as success"},
		[3]string{"Пометить %d запуск как успешный", "Пометить %d запуска как успешные",
			"Пометить %d запусков как успешные"}},
	{"Mark %d runs as failed", [2]string{"Mark %d run as failed", "Mark %d runs as failed"},
		[3]string{"Пометить %d запуск как упавший", "Пометить %d запуска как упавшие",
			"Пометить %d запусков как упавшие"}},
	{"Pause %d DAGs", [2]string{"Pause %d DAG", "Pause %d DAGs"},
		[3]string{"Поставить на паузу %d DAG", "Поставить на паузу %d DAG-а", "Поставить на паузу %d DAG-ов"}},
	{"Un-pause %d DAGs", [2]string{"Un-pause %d DAG", "Un-pause %d DAGs"},
		[3]string{"Снять с паузы %d DAG", "Снять с паузы %d DAG-а", "Снять с паузы %d DAG-ов"}},
	{"Trigger %d DAGs", [2]string{"Trigger %d DAG", "Trigger %d DAGs"},
		[3]string{"Запустить %d DAG", "Запустить %d DAG-а", "Запустить %d DAG-ов"}},
	{"%d tries", [2]string{"%d try", "%d tries"}, [3]string{"%d попытка", "%d попытки", "%d попыток"}},
	{"%d hours", [2]string{"%d hour", "%d hours"}, [3]string{"%d час", "%d часа", "%d часов"}},
	{"%d days", [2]string{"%d day", "%d days"}, [3]string{"%d день", "%d дня", "%d дней"}},
	{"%d matches", [2]string{"%d match", "%d matches"}, [3]string{"%d совпадение", "%d совпадения", "%d совпадений"}},
}

// english holds the English text of keys that say more than their text: Russian
// words agree with what they are about, such as a run or a task, or must be short.
var english = map[string]string{
	"Mark success (task)": "Mark success", "Mark failed (task)": "Mark failed",
	"upstream failed (short)": "upstream failed",
}

// newCatalogue holds every text of the pages in every language. The key of a
// text is the English text itself. Reasons, which are data, are translated by
// reasonWords; names, notes and the words of models stay as they were written.
func newCatalogue() (catalog.Catalog, error) {
	b := catalog.NewBuilder(catalog.Fallback(language.English))
	for key, text := range russian {
		if err := b.SetString(language.Russian, key, text); err != nil {
			return nil, err
		}
	}
	for key, text := range english {
		if err := b.SetString(language.English, key, text); err != nil {
			return nil, err
		}
	}
	for _, p := range plurals {
		en := plural.Selectf(1, "%d", plural.One, p.en[0], plural.Other, p.en[1])
		ru := plural.Selectf(1, "%d", plural.One, p.ru[0], plural.Few, p.ru[1], plural.Other, p.ru[2])
		if err := b.Set(language.English, p.key, en); err != nil {
			return nil, err
		}
		if err := b.Set(language.Russian, p.key, ru); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// printers makes one printer for each language. The catalogue is part of the
// program, so a fault in it is a fault of the build: every test of this package
// would fail.
func printers() map[language.Tag]*message.Printer {
	c, err := newCatalogue()
	if err != nil {
		panic(err)
	}
	all := map[language.Tag]*message.Printer{}
	for _, tag := range languages {
		all[tag] = message.NewPrinter(tag, message.Catalog(c))
	}
	return all
}

// say marks a text that is translated later, where it is shown, so that the
// catalogue's test finds it.
func say(text string) string { return text }
