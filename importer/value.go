package importer

import (
	"encoding/json"
	"fmt"
)

// place is a line of a Python file.
type place struct {
	file string
	line int
	// arguments are the lines of a call's named arguments.
	arguments map[string]int
}

// of is the place of one of a call's arguments, which may stand there by an older name.
func (p place) of(argument string) place {
	names := []string{argument}
	for _, renamed := range []map[string]string{renamedArguments, renamedKeys} {
		for old, name := range renamed {
			if name == argument {
				names = append(names, old)
			}
		}
	}
	for _, name := range names {
		if line := p.arguments[name]; line > 0 {
			return place{file: p.file, line: line}
		}
	}
	return place{file: p.file, line: p.line}
}

// UnmarshalJSON reads [file, line] or [file, line, {argument: line}].
func (p *place) UnmarshalJSON(text []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	for i, into := range []any{&p.file, &p.line, &p.arguments} {
		if i < len(parts) {
			if err := json.Unmarshal(parts[i], into); err != nil {
				return err
			}
		}
	}
	return nil
}

// The values that the program in Python prints, beside nil, bool, json.Number, string and
// []any.
type (
	// entry is one element of a dictionary.
	entry struct{ key, value any }
	// dict is a dictionary in its order.
	dict []entry
	// call is an object that a class of elsewhere would make.
	call struct {
		path   string
		args   []any
		kwargs dict
		at     place
	}
	// delta is a timedelta in microseconds.
	delta int64
	// moment is a date and time on a clock of a zone.
	moment struct{ wall, zone string }
	// relative is a moment so many seconds away from the day of reading.
	relative struct {
		seconds int64
		source  string
		at      place
	}
	// named is something imported, by its name.
	named string
	// unknown is what is only known when the file runs.
	unknown struct {
		source, why string
		at          place
	}
	// aTask is a task where a value is wanted.
	aTask struct{}
)

// get is a dictionary's value under a key, nil if there is none.
func (d dict) get(key string) any {
	for _, e := range d {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// without is the dictionary without some keys.
func (d dict) without(keys ...string) dict {
	var kept dict
	for _, e := range d {
		drop := false
		for _, key := range keys {
			drop = drop || e.key == key
		}
		if !drop {
			kept = append(kept, e)
		}
	}
	return kept
}

// rawValue is a value as it is printed; exactly one of its first fields is there.
type rawValue struct {
	Dict     *rawDict        `json:"dict"`
	Call     *string         `json:"call"`
	Delta    *int64          `json:"delta"`
	Moment   *string         `json:"moment"`
	Relative *int64          `json:"relative"`
	Name     *string         `json:"name"`
	Task     *int            `json:"task"`
	Unknown  *string         `json:"unknown"`
	Args     json.RawMessage `json:"args"`
	Kwargs   rawDict         `json:"kwargs"`
	Zone     string          `json:"zone"`
	Source   string          `json:"source"`
	Why      string          `json:"why"`
	At       place           `json:"at"`
}

// rawDict is a dictionary as a list of pairs.
type rawDict [][2]json.RawMessage

func decodeDict(raw rawDict) (dict, error) {
	d := make(dict, 0, len(raw))
	for _, pair := range raw {
		key, err := decodeValue(pair[0])
		if err != nil {
			return nil, err
		}
		value, err := decodeValue(pair[1])
		if err != nil {
			return nil, err
		}
		d = append(d, entry{key, value})
	}
	return d, nil
}

func decodeList(text json.RawMessage) ([]any, error) {
	var raw []json.RawMessage
	if len(text) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, err
	}
	list := make([]any, len(raw))
	for i := range raw {
		var err error
		if list[i], err = decodeValue(raw[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// decodeValue reads a value that the program in Python printed.
func decodeValue(text json.RawMessage) (any, error) {
	switch text[0] {
	case '[':
		return decodeList(text)
	case '{':
		var raw rawValue
		if err := json.Unmarshal(text, &raw); err != nil {
			return nil, err
		}
		return raw.decode()
	case '"', 't', 'f', 'n':
		var v any
		err := json.Unmarshal(text, &v)
		return v, err
	}
	return json.Number(text), nil
}

func (r rawValue) decode() (any, error) {
	switch {
	case r.Dict != nil:
		return decodeDict(*r.Dict)
	case r.Call != nil:
		args, err := decodeList(r.Args)
		if err != nil {
			return nil, err
		}
		kwargs, err := decodeDict(r.Kwargs)
		return call{*r.Call, args, kwargs, r.At}, err
	case r.Delta != nil:
		return delta(*r.Delta), nil
	case r.Moment != nil:
		return moment{*r.Moment, r.Zone}, nil
	case r.Relative != nil:
		return relative{*r.Relative, r.Source, r.At}, nil
	case r.Name != nil:
		return named(*r.Name), nil
	case r.Task != nil:
		return aTask{}, nil
	case r.Unknown != nil:
		return unknown{*r.Unknown, r.Why, r.At}, nil
	}
	return nil, fmt.Errorf("a value without a kind")
}
