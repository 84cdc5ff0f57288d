package fsys

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/leat-dev/leat/fault"
)

// metaBytes are the bytes that "\" quotes in a pattern.
const metaBytes = `*?[]\`

// HasMeta reports whether pattern may stand for anything but the path that
// is spelled the same: whether it has a wildcard or a quoted byte.
func HasMeta(pattern string) bool {
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*', c == '?', c == '[':
			return true
		case c == '\\' && i+1 < len(pattern) && strings.IndexByte(metaBytes, pattern[i+1]) >= 0:
			return true
		}
	}
	return false
}

// QuoteMeta returns a pattern that matches path and nothing else.
func QuoteMeta(path string) string {
	if !strings.ContainsAny(path, metaBytes) {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if strings.IndexByte(metaBytes, path[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

// MatchPath reports whether path matches pattern as a whole. A trailing "/" of
// the pattern, which asks for a directory, is not compared. A malformed
// pattern is an error of kind [fault.Invalid].
func MatchPath(pattern, path string) (bool, error) {
	p, err := compile(pattern)
	if err != nil {
		return false, err
	}
	return p.match(path), nil
}

// A pattern is compiled: components, split at "/".
type pattern struct {
	segs    []segment
	dirOnly bool // trailing "/"
	deep    bool // has a "**"
}

// A segment is one component of a pattern.
type segment struct {
	deep bool    // "**": any number of components
	lit  string  // the component itself when toks is nil, else its literal prefix
	toks []token // what follows lit; nil for a literal component
	// suffix says that toks is "*" and a literal that can only begin where a
	// character does.
	suffix bool
}

// A token matches a part of a component.
type token struct {
	kind  tokenKind
	lit   string
	class []runeRange
	not   bool
}

type tokenKind uint8

const (
	tokLit tokenKind = iota
	tokStar
	tokOne
	tokClass
)

// A runeRange is inclusive. Bytes that are not UTF-8 are counted from
// badByte, beyond all runes.
type runeRange struct{ lo, hi rune }

const badByte = utf8.MaxRune + 1

// compile parses a pattern.
func compile(text string) (*pattern, error) {
	p := &pattern{}
	if rest, ok := strings.CutSuffix(text, "/"); ok && rest != "" {
		p.dirOnly, text = true, rest
	}
	for part := range strings.SplitSeq(text, "/") {
		if part == "**" {
			p.deep = true
			if n := len(p.segs); n > 0 && p.segs[n-1].deep {
				continue
			}
			p.segs = append(p.segs, segment{deep: true})
			continue
		}
		s, err := compileSegment(part)
		if err != nil {
			return nil, fault.New("glob", text, fault.Invalid, err)
		}
		p.segs = append(p.segs, s)
	}
	if p.segs[len(p.segs)-1].deep { // "a/**" is all that lies below a
		p.segs = append(p.segs, segment{toks: []token{{kind: tokStar}}})
	}
	return p, nil
}

// fixed returns the number of leading components that are literal.
func (p *pattern) fixed() int {
	for i, s := range p.segs {
		if s.deep || s.toks != nil {
			return i
		}
	}
	return len(p.segs)
}

// literal joins the first n components, which must be literal.
func (p *pattern) literal(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = p.segs[i].lit
	}
	return strings.Join(parts, "/")
}

// match reports whether the whole of path matches.
func (p *pattern) match(path string) bool { return matchSegments(p.segs, path, false) }

// matchSegments matches components one by one. On a mismatch the last "**"
// takes one component more; earlier ones need not, as in the classic
// wildcard algorithm. done says that path has no component left, which ""
// alone cannot.
func matchSegments(segs []segment, path string, done bool) bool {
	var retry []segment // what follows the last "**"
	var retryPath string
	for {
		switch {
		case len(segs) == 0 && done:
			return true
		case len(segs) > 0 && segs[0].deep:
			segs = segs[1:]
			if done {
				return false // something follows every "**"
			}
			retry, retryPath = segs, path
			continue
		case len(segs) > 0 && !done:
			name, rest, more := strings.Cut(path, "/")
			if segs[0].match(name) {
				segs, path, done = segs[1:], rest, !more
				continue
			}
		}
		if retry == nil {
			return false
		}
		_, rest, more := strings.Cut(retryPath, "/")
		if !more {
			return false
		}
		segs, path, done, retryPath = retry, rest, false, rest
	}
}

// match reports whether the component name matches.
func (s *segment) match(name string) bool {
	if s.toks == nil {
		return name == s.lit
	}
	if name == "" || !strings.HasPrefix(name, s.lit) {
		return false
	}
	toks, name := s.toks, name[len(s.lit):]
	if s.suffix {
		return strings.HasSuffix(name, toks[1].lit)
	}
	var retry []token // what follows the last "*"
	var retryName string
	for {
		if len(toks) == 0 && name == "" {
			return true
		}
		if len(toks) > 0 {
			if toks[0].kind == tokStar {
				if toks = toks[1:]; len(toks) == 0 {
					return true
				}
				retry, retryName = toks, name
				continue
			}
			if n := toks[0].match(name); n > 0 {
				toks, name = toks[1:], name[n:]
				continue
			}
		}
		if retry == nil || retryName == "" {
			return false
		}
		_, size := utf8.DecodeRuneInString(retryName)
		retryName = retryName[size:]
		toks, name = retry, retryName
	}
}

// match returns how many bytes of name the token takes, 0 for none.
func (t *token) match(name string) int {
	if t.kind == tokLit {
		if strings.HasPrefix(name, t.lit) {
			return len(t.lit)
		}
		return 0
	}
	if name == "" {
		return 0
	}
	r, size := decode(name)
	if t.kind == tokOne {
		return size
	}
	for _, c := range t.class {
		if c.lo <= r && r <= c.hi {
			if t.not {
				return 0
			}
			return size
		}
	}
	if t.not {
		return size
	}
	return 0
}

// decode returns the first character of s: a rune, or badByte plus a byte
// that is not UTF-8.
func decode(s string) (rune, int) {
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size == 1 {
		return badByte + rune(s[0]), 1
	}
	return r, size
}

// compileSegment parses one component.
func compileSegment(text string) (segment, error) {
	var s segment
	var lit strings.Builder
	meta := false
	flush := func() {
		if !meta {
			s.lit = lit.String()
		} else if lit.Len() > 0 {
			s.toks = append(s.toks, token{kind: tokLit, lit: lit.String()})
		}
		meta = true
		lit.Reset()
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && strings.IndexByte(metaBytes, text[i+1]) >= 0:
			i++
			lit.WriteByte(text[i])
		case c == '*':
			flush()
			if n := len(s.toks); n == 0 || s.toks[n-1].kind != tokStar {
				s.toks = append(s.toks, token{kind: tokStar})
			}
		case c == '?':
			flush()
			s.toks = append(s.toks, token{kind: tokOne})
		case c == '[':
			flush()
			t, n, err := compileClass(text[i:])
			if err != nil {
				return segment{}, err
			}
			s.toks = append(s.toks, t)
			i += n - 1
		default:
			lit.WriteByte(c)
		}
	}
	if !meta {
		return segment{lit: lit.String()}, nil
	}
	flush()
	s.suffix = len(s.toks) == 2 && s.toks[0].kind == tokStar && s.toks[1].kind == tokLit && utf8.RuneStart(s.toks[1].lit[0])
	return s, nil
}

var errClass = errors.New(`"[" has no "]" in its path component; write "\[" for the character itself`)

// compileClass parses the class that text begins with and returns its
// length in bytes.
func compileClass(text string) (token, int, error) {
	t := token{kind: tokClass}
	i := 1
	if i < len(text) && (text[i] == '!' || text[i] == '^') {
		t.not = true
		i++
	}
	for first := true; ; first = false {
		if i >= len(text) {
			return t, 0, errClass
		}
		if text[i] == ']' && !first {
			return t, i + 1, nil
		}
		lo, n := classChar(text[i:])
		i += n
		hi := lo
		if i+1 < len(text) && text[i] == '-' && text[i+1] != ']' {
			hi, n = classChar(text[i+1:])
			i += 1 + n
		}
		if lo > hi {
			return t, 0, fmt.Errorf("class %q has a range that runs backwards", text[:i])
		}
		t.class = append(t.class, runeRange{lo, hi})
	}
}

// classChar decodes one character of a class, quoted or not.
func classChar(text string) (rune, int) {
	if text[0] == '\\' && len(text) > 1 && strings.IndexByte(metaBytes+"-!^", text[1]) >= 0 {
		return rune(text[1]), 2
	}
	return decode(text)
}
