package ui

import (
	"fmt"
	"strings"

	"golang.org/x/text/language"

	"dagwright/reason"
)

// reason says a reason in the reader's language. What other programs say stays as it is.
func (rd *reader) reason(why reason.Reason) string {
	if rd.lang == language.Russian {
		return russianReason(why)
	}
	return why.String()
}

func russianReason(why reason.Reason) string {
	sentence, ok := reasonWords[why.Code]
	if !ok {
		return why.String() // none, or one of a newer dagwright
	}
	places := russianVerb.FindAllString(sentence, -1)
	args := why.Arguments()
	values := make([]string, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case reason.Reason:
			values[i] = russianReason(arg)
		case string:
			values[i] = russianArgument(arg, i < len(places) && places[i] == "%v")
		default:
			values[i] = fmt.Sprint(arg)
		}
	}
	return reason.Fill(strings.ReplaceAll(sentence, "%v", "%s"), values)
}

// russianArgument is a state in words, or a text, which may be a fault that is known.
func russianArgument(text string, isState bool) string {
	if isState {
		return stateRussian(text)
	}
	return russianPart(text, maxNestedFaults)
}
