package drivertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// weird are names that break stores, protocols and programs. None is below
// another, so that stores with real directories can hold them all.
var weird = []string{
	"space in name", " leading", "trailing ", "tab\there", "new\nline", "cr\rhere", "crlf\r\nhere",
	"hash#mark", "question?mark", "percent%", "percent%20encoded", "percent%2Fslash", "percent%zz", "plus+sign",
	"a&b=c;d", "quote'single", `quote"double`, "<tag>", "{brace}", "[bracket]", "*star*", "$dollar", "!bang", "~tilde",
	"`tick`", "|pipe", "^caret", "back\\slash", "co:lon", "comma,", "at@", "-dash", "--", ".hidden", "..hidden", "dots...", "...",
	"é", "e\u0301", "日本語", "😀", "\u200b", "\ufeffbom", "rtl\u202e", "\x01control", "\x7fdel",
	"bad\xffutf8", "bad\xc3", "\xed\xa0\x80surrogate", "high/a", "high/\xff\xff",
	"dir with space/and#hash/x?y", "d/a+b", "d%/b", "CON", "nul.txt", "index.html/x",
	"..", "up/../down", "dot/./dot", "double//slash", "/leading", "trailing/",
	strings.Repeat(strings.Repeat("k", 203)+"/", 5) + "last", // 1,024 bytes
	"u/" + strings.Repeat("é", 100),
}

func (s *suite) bad(path string) bool { return s.BadName != nil && s.BadName(path) }

func testNames(t *testing.T, s *suite) {
	var want []string
	for _, name := range weird {
		if !s.bad(name) {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	if len(want) < 20 {
		t.Fatalf("the store refuses all but %d of %d names", len(want), len(weird))
	}
	s.names(t, want...)
	if got := paths(s.list(t, "", driver.ListOptions{Recursive: true})); !slices.Equal(got, want) {
		t.Errorf("list -R: %s", difference(got, want))
	}
	// One level at a time finds the same.
	if got := s.walk(t, ""); !slices.Equal(got, want) {
		t.Errorf("list level by level: %s", difference(got, want))
	}
	for _, name := range want {
		if e, err := s.FS.Stat(s.ctx, name); err != nil || e.Path != name || e.Size != int64(len(name)) {
			t.Errorf("stat %q = %+v, %v", name, e, err)
		}
		s.wantContent(t, name, []byte(name))
		if got := paths(s.list(t, "", driver.ListOptions{Recursive: true, Prefix: name})); !slices.Contains(got, name) {
			t.Errorf("list -R prefix %q = %q", name, got)
		}
	}
	if s.ReadOnly {
		return
	}
	for i, name := range want {
		if err := s.FS.Remove(s.ctx, name); err != nil {
			t.Errorf("remove %q: %v", name, err)
		}
		if i%10 == 0 || i == len(want)-1 {
			if got := paths(s.list(t, "", driver.ListOptions{Recursive: true})); !slices.Equal(got, want[i+1:]) {
				t.Errorf("after removing %q: %s", name, difference(got, want[i+1:]))
			}
		}
	}
}

// walk lists level by level and returns the objects, sorted.
func (s *suite) walk(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	for _, e := range s.list(t, dir, driver.ListOptions{}) {
		switch {
		case e.Kind == driver.File:
			out = append(out, e.Path)
		case len(e.Path) <= len(dir):
			t.Errorf("list %q yields directory %q, which is not below it", dir, e.Path)
		default:
			out = append(out, s.walk(t, e.Path)...)
		}
	}
	return out
}

// difference names what two sorted lists do not share.
func difference(got, want []string) string {
	var b strings.Builder
	for _, g := range got {
		if !slices.Contains(want, g) {
			b.WriteString(" extra " + brief([]byte(g)))
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			b.WriteString(" missing " + brief([]byte(w)))
		}
	}
	if b.Len() == 0 {
		return "order differs"
	}
	return b.String()
}

func testNamesRefused(t *testing.T, s *suite) {
	for _, name := range weird {
		if !s.bad(name) {
			continue
		}
		w, err := s.FS.Create(s.ctx, name, driver.CreateOptions{})
		if err == nil {
			_, err = w.Commit(s.ctx)
			w.Abort()
		}
		wantKind(t, "create "+brief([]byte(name)), name, err, fault.Invalid)
	}
	s.wantNothing(t)
}
