package reffs

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/leat-dev/leat/fault"
)

// expandedBytes bounds what templates make of one text.
const expandedBytes = 64 << 10

// expand puts the values of names and of sums in place of "{{…}}".
func expand(text string, templates map[string]string, vars map[string]int64) (string, error) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{{")
		b.WriteString(before)
		if b.Len() > expandedBytes {
			return "", fmt.Errorf("a template makes more than %d bytes", expandedBytes)
		}
		if !ok {
			return b.String(), nil
		}
		expr, after, ok := strings.Cut(rest, "}}")
		if !ok {
			return "", errors.New(`"{{" without "}}"`)
		}
		name := strings.TrimSpace(expr)
		if t, ok := templates[name]; ok {
			if strings.Contains(t, "{{") {
				return "", unsupported(t)
			}
			b.WriteString(t)
		} else {
			n, err := evaluate(name, vars)
			if err != nil {
				return "", err
			}
			b.WriteString(strconv.FormatInt(n, 10))
		}
		text = after
	}
}

func unsupported(expr string) error {
	return &fault.Error{Kind: fault.Unsupported, Err: fmt.Errorf("the template %q; names and whole-number arithmetic are known", brief(expr))}
}

// evaluate computes a sum of whole numbers and variables.
func evaluate(expr string, vars map[string]int64) (int64, error) {
	e := evaluator{text: expr, vars: vars}
	n := e.sum(0)
	if e.space(); !e.bad && e.text == "" {
		return n, nil
	}
	return 0, unsupported(expr)
}

// An evaluator reads an expression from left to right.
type evaluator struct {
	text string
	vars map[string]int64
	bad  bool
}

func (e *evaluator) space() { e.text = strings.TrimLeft(e.text, " \t") }

// next takes the first of the operators that the rest begins with.
func (e *evaluator) next(operators ...string) string {
	e.space()
	for _, op := range operators {
		if strings.HasPrefix(e.text, op) {
			e.text = e.text[len(op):]
			return op
		}
	}
	return ""
}

const maxNesting = 50

func (e *evaluator) sum(depth int) int64 {
	n := e.product(depth)
	for {
		switch e.next("+", "-") {
		case "+":
			n += e.product(depth)
		case "-":
			n -= e.product(depth)
		default:
			return n
		}
	}
}

func (e *evaluator) product(depth int) int64 {
	n := e.value(depth)
	for {
		op := e.next("*", "//", "%")
		if op == "" {
			return n
		}
		m := e.value(depth)
		switch {
		case op == "*":
			n *= m
		case m == 0 || n < 0 || m < 0:
			e.bad = true // Python rounds down, Go towards zero
			return 0
		case op == "//":
			n /= m
		default:
			n %= m
		}
	}
}

func (e *evaluator) value(depth int) int64 {
	if depth > maxNesting {
		e.bad = true
		return 0
	}
	switch e.next("(", "-") {
	case "(":
		n := e.sum(depth + 1)
		if e.next(")") == "" {
			e.bad = true
		}
		return n
	case "-":
		return -e.value(depth + 1)
	}
	i := 0
	for i < len(e.text) && (e.text[i] == '_' || '0' <= e.text[i] && e.text[i] <= '9' || 'a' <= e.text[i]|0x20 && e.text[i]|0x20 <= 'z') {
		i++
	}
	word := e.text[:i]
	e.text = e.text[i:]
	if n, ok := e.vars[word]; ok {
		return n
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		e.bad = true
	}
	return n
}

// A generator makes references of the values of its dimensions.
type generator struct {
	Key        string                     `json:"key"`
	URL        string                     `json:"url"`
	Offset     *template                  `json:"offset"`
	Length     *template                  `json:"length"`
	Dimensions map[string]json.RawMessage `json:"dimensions"`
}

// A template is text or a number.
type template string

// UnmarshalJSON takes either.
func (t *template) UnmarshalJSON(raw []byte) error {
	var n int64
	if err := json.Unmarshal(raw, &n); err == nil {
		*t = template(strconv.FormatInt(n, 10))
		return nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	*t = template(s)
	return err
}

// A dimension is what one variable counts through.
type dimension struct {
	name   string
	values []int64
}

// values reads a list of numbers, or {start, stop, step}.
func values(raw json.RawMessage, most int) ([]int64, error) {
	var list []int64
	if raw[0] == '[' {
		err := json.Unmarshal(raw, &list)
		return list, err
	}
	span := struct{ Start, Stop, Step int64 }{Step: 1}
	if err := json.Unmarshal(raw, &span); err != nil {
		return nil, err
	}
	if span.Step <= 0 {
		return nil, fmt.Errorf("a step of %d", span.Step)
	}
	for n := span.Start; n < span.Stop; n += span.Step {
		if len(list) >= most {
			return nil, &fault.Error{Kind: fault.Refused, Err: fmt.Errorf("more than %d names", most)}
		}
		if list = append(list, n); n > span.Stop-span.Step {
			break // the next would overflow, or be the end
		}
	}
	return list, nil
}

// generate adds what g stands for.
func (p *parser) generate(g *generator) error {
	if (g.Offset == nil) != (g.Length == nil) {
		return errors.New("offset and length come together")
	}
	var dims []dimension
	for _, name := range slices.Sorted(maps.Keys(g.Dimensions)) {
		v, err := values(g.Dimensions[name], p.most)
		if err != nil {
			return err
		}
		dims = append(dims, dimension{name, v})
	}
	return p.product(g, dims, map[string]int64{})
}

// product goes through all combinations of the dimensions.
func (p *parser) product(g *generator, dims []dimension, vars map[string]int64) error {
	if len(dims) == 0 {
		return p.one(g, vars)
	}
	for _, v := range dims[0].values {
		vars[dims[0].name] = v
		if err := p.product(g, dims[1:], vars); err != nil {
			return err
		}
	}
	return nil
}

// one adds one generated reference.
func (p *parser) one(g *generator, vars map[string]int64) error {
	key, err := expand(g.Key, p.templates, vars)
	if err != nil {
		return err
	}
	r := ref{n: -1}
	if r.url, err = expand(g.URL, p.templates, vars); err != nil {
		return err
	}
	if r.url == "" {
		return errors.New("the URL of a target is empty")
	}
	if g.Offset != nil {
		for _, v := range []struct {
			to   *int64
			text template
		}{{&r.off, *g.Offset}, {&r.n, *g.Length}} {
			text, err := expand(string(v.text), p.templates, vars)
			if err != nil {
				return err
			}
			if *v.to, err = strconv.ParseInt(strings.TrimSpace(text), 10, 64); err != nil {
				return err
			}
		}
	}
	if err := r.check(); err != nil {
		return err
	}
	return p.add(key, r)
}
