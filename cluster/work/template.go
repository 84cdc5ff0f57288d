package work

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

// placeholders of arguments and of output templates. A brace pair of any
// other kind is left alone.
const (
	holdFile  = "{}"
	holdURL   = "{url}"
	holdName  = "{name}"
	holdStem  = "{stem}"
	holdExt   = "{ext}"
	holdIndex = "{index}"
	holdPath  = "{path}"
)

var argHolds = []string{holdFile, holdURL, holdName, holdStem, holdExt, holdIndex}

// holds reports whether s has any of the placeholders.
func holds(s string, of ...string) bool {
	for _, h := range of {
		if strings.Contains(s, h) {
			return true
		}
	}
	return false
}

// expand replaces the placeholders in s, once each from left to right, so
// that what a value brings is not expanded again.
func expand(s string, value map[string]string) string {
	if !strings.Contains(s, "{") {
		return s
	}
	var b strings.Builder
	for s != "" {
		i := strings.IndexByte(s, '{')
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		end := strings.IndexByte(s, '}')
		if v, ok := value[s[:end+1]]; end > 0 && ok {
			b.WriteString(v)
			s = s[end+1:]
		} else {
			b.WriteByte('{')
			s = s[1:]
		}
	}
	b.WriteString(s)
	return b.String()
}

// values returns the placeholders of in, but for {} and {path}.
func (in *Input) values() map[string]string {
	name := in.Name()
	ext := path.Ext(name)
	return map[string]string{
		holdURL: in.URL, holdName: name, holdStem: strings.TrimSuffix(name, ext), holdExt: ext,
		holdIndex: strconv.FormatUint(in.Index, 10),
	}
}

// arguments expands a command template. An argument with a placeholder
// becomes one for each input. files holds what {} stands for, or is nil.
func arguments(template []string, ins []*Input, files []string) []string {
	values := make([]map[string]string, len(ins))
	for i, in := range ins {
		values[i] = in.values()
		if files != nil {
			values[i][holdFile] = files[i]
		}
	}
	var args []string
	for _, t := range template {
		if !holds(t, argHolds...) {
			args = append(args, t)
			continue
		}
		for _, v := range values {
			args = append(args, expand(t, v))
		}
	}
	return args
}

// ValidateOut refuses an output template in which two inputs of the patterns
// could get the same name. {index} always tells them apart, and with one
// pattern {path} does, or {name}, {stem}{ext} or {stem} where the pattern
// says that they must differ.
func ValidateOut(template string, patterns []string) error {
	err := checkOut(template, patterns)
	if err != nil {
		return fault.New("out", template, fault.Invalid, err)
	}
	return nil
}

func checkOut(template string, patterns []string) error {
	switch {
	case strings.HasPrefix(template, "{"):
		return errors.New("the template must begin with where to write, such as s3://bucket/ or a directory")
	case strings.Contains(template, holdFile):
		return errors.New("{} has no meaning in an output template; there are {index} {path} {name} {stem} {ext} {url}")
	case holds(template, holdIndex):
		return nil
	case len(patterns) != 1:
		return errors.New("with several input patterns the template needs {index}, or results could overwrite each other")
	case holds(template, holdPath):
		return nil
	}
	dir, last := cutPattern(patterns[0])
	if hasMeta(dir) {
		return errors.New("results could overwrite each other, because inputs of different directories can have the same name; use {path} or {index}")
	}
	switch {
	case holds(template, holdName), strings.Contains(template, holdStem+holdExt):
		return nil
	case holds(template, holdStem) && literalExt(last):
		return nil
	case !hasMeta(last):
		return nil // one object
	}
	return errors.New("results could overwrite each other; the template needs {name}, {stem}{ext}, {path} or {index}")
}

// cutPattern cuts a URL pattern before its last component.
func cutPattern(pattern string) (dir, last string) {
	i := strings.LastIndexByte(pattern, '/')
	return pattern[:i+1], pattern[i+1:]
}

// hasMeta reports whether a pattern has wildcards. Quoted ones are none, other
// than for [fsys.HasMeta].
func hasMeta(pattern string) bool { return literalTail(pattern) != pattern }

// literalTail returns what follows the last wildcard.
func literalTail(pattern string) string {
	tail := pattern
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			if i+1 < len(pattern) && strings.IndexByte(metaBytes, pattern[i+1]) >= 0 {
				i++
			}
		case '*', '?', '[', ']':
			tail = pattern[i+1:]
		}
	}
	return tail
}

// metaBytes are the bytes that "\" quotes in a pattern.
const metaBytes = `*?[]\`

// literalExt reports whether all names that match the component have the
// same extension, because the pattern spells it out.
func literalExt(last string) bool { return strings.Contains(literalTail(last), ".") }

// outNames makes the names of results.
type outNames struct {
	template string
	bases    []outBase // for {path}
}

// outBase is the fixed directory of a pattern.
type outBase struct {
	fs      *fsys.FS
	pattern string
	dir     string // with a trailing "/", or empty
}

// newOutNames prepares the output template of a spec.
func newOutNames(ctx context.Context, res Resolver, s *Spec) (*outNames, error) {
	o := &outNames{template: s.Out}
	if !holds(s.Out, holdPath) {
		return o, nil
	}
	for _, p := range s.Inputs {
		fs, pattern, err := res.ResolvePattern(ctx, p)
		if err != nil {
			return nil, err
		}
		o.bases = append(o.bases, outBase{fs: fs, pattern: pattern, dir: fixedDir(pattern)})
	}
	return o, nil
}

// fixedDir returns the directory before the first wildcard of a pattern, as
// a plain name.
func fixedDir(pattern string) string {
	dir, fixed := "", ""
	for comp := range strings.SplitAfterSeq(pattern, "/") {
		fixed += unquote(comp)
		if hasMeta(comp) || !strings.HasSuffix(comp, "/") {
			break
		}
		dir = fixed
	}
	return dir
}

// unquote takes the backslashes out of a pattern without wildcards.
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(metaBytes, s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// name returns the URL that the result of in goes to.
func (o *outNames) name(ctx context.Context, in *Input) (string, error) {
	v := in.values()
	if holds(o.template, holdPath) {
		p, err := o.below(ctx, in)
		if err != nil {
			return "", err
		}
		v[holdPath] = p
	}
	if local(o.template) {
		for _, h := range []string{holdPath, holdName, holdStem, holdURL} {
			if holds(o.template, h) && climbs(v[h]) {
				return "", fault.New("out", in.URL, fault.Refused,
					fmt.Errorf(`the name has a ".." component, which would lead out of the output directory; use {index}`))
			}
		}
	}
	return expand(o.template, v), nil
}

// local reports whether a template names files of this machine.
func local(template string) bool {
	s := fsys.Scheme(template)
	return s == "" || s == "file"
}

// climbs reports whether a file name would be resolved to another place.
func climbs(name string) bool {
	for comp := range strings.SplitSeq(name, "/") {
		if comp == ".." {
			return true
		}
	}
	return false
}

// below returns the path of in below the fixed directory of the pattern that
// it matches.
func (o *outNames) below(ctx context.Context, in *Input) (string, error) {
	if err := in.resolve(ctx); err != nil {
		return "", err
	}
	for _, b := range o.bases {
		rest, ok := strings.CutPrefix(in.path, b.dir)
		if !ok || b.fs != in.fs {
			continue
		}
		if len(o.bases) == 1 {
			return rest, nil
		}
		if ok, err := fsys.MatchPath(b.pattern, in.path); err == nil && ok {
			return rest, nil
		}
	}
	return "", fault.New("out", in.URL, fault.Internal, errors.New("the input matches none of the patterns"))
}
