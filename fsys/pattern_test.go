package fsys_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

func TestMatchPath(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no string // space-separated paths; _ is a space
	}{
		{"a", "a", "b aa a/a"},
		{"*", "a ab .hidden é", "a/b"},
		{"a*", "a ab a.b", "ba a/b"},
		{"*a*b", "ab xaxb aab", "ba abx"},
		{"**b", "b ab", "a/b"},
		{"?", "a é \xff .", "ab é\xff a/"},
		{"??", "ab éé \xff\xfe", "é a"},
		{"[abc]", "a b c", "d ab"},
		{"[a-c]x", "ax bx cx", "dx x"},
		{"[!a-c]", "d é \xff", "a /"},
		{"[^a-c]", "d", "a"},
		{"[]a]", "] a", "b"},
		{"[!]a]", "b", "] a"},
		{"[a-]", "a -", "b"},
		{"[-a]", "a -", "b"},
		{`[\]]`, "]", `\`},
		{`[\\]`, `\`, "a"},
		{`[a\-c]`, "a - c", "b"},
		{"[é-ü]", "é ö ü", "e a"},
		{"[\xf0-\xff]", "\xf5", "\xef é"},
		{"[*?]", "* ?", "a"},
		{`\*`, "*", `a \* \a`},
		{`\?\[\]\\`, `?[]\`, "a"},
		{`\a`, `\a`, "a"},
		{`a\`, `a\`, "a"},
		{"]", "]", "a"},
		{"a/*", "a/b", "a a/b/c b/a"},
		{"*\xa9", "\xa9 x\xa9 \xc3\xc3\xa9\xa9", "é xé"},
		{"*/*", "a/b", "a a/b/c"},
		{"**", "a a/b a/b/c .x/.y", ""},
		{"**/a", "a x/a x/y/a", "b a/b xa"},
		{"a/**", "a/b a/b/c", "a b/a"},
		{"a/**/b", "a/b a/x/b a/x/y/b a/b/b", "a/b/c ab"},
		{"**/a/**/b/**", "a/b/c a/a/b/b/b x/a/y/b/z/w", "a/b a/c"},
		{"a/**/**/b", "a/b a/x/y/b", "a"},
		{"**/*.go", "x.go a/x.go a/b/.go", "a/x.c"},
		{"a/**/x/*", "a/x/1 a/x/x/1 a/b/x/1", "a/x a/x/x/x/1/1"},
		{"*/**", "a/b a/b/c", "a"},
		{"a//*", "a//b", "a/b a///b"},
		{"a/*", "a/b", "a/ a//"},
		{"**/b", "b a//b /b", "a/b/"},
		{"d/", "d", "d/"},
		{"a_b*", "a_b a_bc", "ab"},
	} {
		for _, want := range []bool{true, false} {
			list := c.no
			if want {
				list = c.yes
			}
			for path := range strings.FieldsSeq(list) {
				path = strings.ReplaceAll(path, "_", " ")
				got, err := fsys.MatchPath(strings.ReplaceAll(c.pattern, "_", " "), path)
				if err != nil || got != want {
					t.Errorf("MatchPath(%q, %q) = %v, %v, want %v", c.pattern, path, got, err, want)
				}
			}
		}
	}
}

func TestMalformedPatterns(t *testing.T) {
	for _, p := range []string{"[", "a[b", "[]", "[!]", "a/[b/c]", "[b-a]", `[a\]`} {
		if _, err := fsys.MatchPath(p, "x"); fault.KindOf(err) != fault.Invalid {
			t.Errorf("MatchPath(%q): %v, want Invalid", p, err)
		}
	}
}

// The classic wildcard bomb ends at once.
func TestMatchPathIsNotExponential(t *testing.T) {
	for _, p := range []string{strings.Repeat("a*", 50) + "b", strings.Repeat("**/a/", 50) + "b"} {
		if ok, err := fsys.MatchPath(p, strings.Repeat("a", 5000)+strings.Repeat("/a", 5000)); ok || err != nil {
			t.Errorf("MatchPath(%.20q…) = %v, %v", p, ok, err)
		}
	}
}

// reference is the definition: recursion without any cleverness.
func reference(pattern, path string) bool {
	pattern = strings.TrimSuffix(pattern, "/")
	if strings.HasSuffix(pattern, "/**") || pattern == "**" {
		pattern += "/*"
	}
	return refComponents(strings.Split(pattern, "/"), strings.Split(path, "/"))
}

func refComponents(pats, names []string) bool {
	if len(pats) == 0 {
		return len(names) == 0
	}
	if pats[0] == "**" {
		for i := range len(names) + 1 {
			if refComponents(pats[1:], names[i:]) {
				return true
			}
		}
		return false
	}
	return len(names) > 0 && refComponent(pats[0], names[0]) && refComponents(pats[1:], names[1:])
}

func refComponent(pat, name string) bool {
	wild := false
	for i := 0; i < len(pat); i++ {
		if pat[i] == '\\' {
			i++
		} else if pat[i] == '*' || pat[i] == '?' {
			wild = true
		}
	}
	return (!wild || name != "") && refText(pat, name)
}

func refText(pat, name string) bool {
	if pat == "" {
		return name == ""
	}
	_, size := utf8.DecodeRuneInString(name)
	switch {
	case pat[0] == '*':
		return refText(pat[1:], name) || name != "" && refText(pat, name[size:])
	case pat[0] == '?':
		return name != "" && refText(pat[1:], name[size:])
	case pat[0] == '\\' && len(pat) > 1 && strings.IndexByte(`*?[]\`, pat[1]) >= 0:
		pat = pat[1:]
	}
	return name != "" && pat[0] == name[0] && refText(pat[1:], name[1:])
}

func FuzzMatchPath(f *testing.F) {
	f.Add("a/**/b*", "a/x/y/bc")
	f.Add("**/*/**", "a/b//c")
	f.Add("*\\**é?", "a*bé\xff")
	f.Add("**/a/**/a/b", "a/a/a/a/b")
	f.Add("*a*a*", "baab")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if strings.Contains(pattern, "[") || len(pattern) > 24 || len(path) > 24 || pattern == "/" || !utf8.ValidString(pattern) {
			return // classes have a table; cutting runes in a pattern is not defined
		}
		got, err := fsys.MatchPath(pattern, path)
		if err != nil {
			t.Fatal(err)
		}
		if want := reference(pattern, path); got != want {
			t.Errorf("MatchPath(%q, %q) = %v, the definition says %v", pattern, path, got, want)
		}
	})
}

func FuzzQuoteMeta(f *testing.F) {
	f.Add("a*b[c]\\?", "x")
	f.Add("\\\\", "\\")
	f.Fuzz(func(t *testing.T, path, other string) {
		if strings.HasSuffix(path, "/") {
			return // a pattern that asks for directories
		}
		q := fsys.QuoteMeta(path)
		if ok, err := fsys.MatchPath(q, path); err != nil || !ok {
			t.Errorf("MatchPath(QuoteMeta(%q)) = %v, %v", path, ok, err)
		}
		if ok, _ := fsys.MatchPath(q, other); ok != (other == path) {
			t.Errorf("%q matches %q", q, other)
		}
		// What has no meta character is the path itself.
		if ok, _ := fsys.MatchPath(path, other); !fsys.HasMeta(path) && ok != (other == path) {
			t.Errorf("HasMeta(%q) is false, and it matches %q", path, other)
		}
	})
}
