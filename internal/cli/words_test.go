package cli

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestSplitWords(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
		err  string
	}{
		{"", nil, ""},
		{"  \t ", nil, ""},
		{"cp a b", []string{"cp", "a", "b"}, ""},
		{"cp  'a b'\t\"c d\"\r", []string{"cp", "a b", "c d"}, ""},
		{`cp a\ b c\\d`, []string{"cp", "a b", `c\d`}, ""},
		{`cp 'a\*' "b\*" "c\"d\\e"`, []string{"cp", `a\*`, `b\*`, `c"d\e`}, ""},
		{`a'b'"c"d`, []string{"abcd"}, ""},
		{`'' ""`, []string{"", ""}, ""},
		{"ls # all of it", []string{"ls"}, ""},
		{"# all of it", nil, ""},
		{"a#b '#c' \\#d", []string{"a#b", "#c", "#d"}, ""},
		{"a* $X `y`", []string{"a*", "$X", "`y`"}, ""},
		{"\xff \x00", []string{"\xff", "\x00"}, ""},
		{"cp 'a", nil, "a quote ' is not closed"},
		{`cp "a\"`, nil, `a quote " is not closed`},
		{`cp a\`, nil, `\ at the end of the line quotes nothing`},
	} {
		got, err := splitWords(c.line)
		if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%q: error %v, want %q", c.line, err, c.err)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.line, got, c.want)
		}
	}
}

// Whatever the words are, quoting each gives them back.
func FuzzSplitWords(f *testing.F) {
	f.Add("a b", `c'"\`)
	f.Add("", "#")
	f.Fuzz(func(t *testing.T, a, b string) {
		_, _ = splitWords(a) // any line may be tried
		quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
		got, err := splitWords(quote(a) + " " + quote(b))
		if err != nil || !slices.Equal(got, []string{a, b}) {
			t.Errorf("%q and %q: %q, %v", a, b, got, err)
		}
	})
}

func TestParseRange(t *testing.T) {
	for text, want := range map[string][2]int64{
		"": {0, 0}, ":": {0, 0}, "5:": {5, 0}, ":5": {0, 5}, "2:5": {2, 3}, "-5:": {-5, 0}, "1k:2k": {1024, 1024}, "-1k:": {-1024, 0},
	} {
		off, n, err := parseRange(text)
		if err != nil || off != want[0] || n != want[1] {
			t.Errorf("%q: %d, %d, %v; want %v", text, off, n, err, want)
		}
	}
	for _, text := range []string{"5", "5:5", "5:4", "0:0", "-0:", "-:", "-5:-1", "-5:7", "a:", ":b", "1:2:3", "--5:"} {
		if off, n, err := parseRange(text); err == nil {
			t.Errorf("%q: %d, %d", text, off, n)
		}
	}
}

// What each line prints stands together, whatever its size.
func TestTurnWriter(t *testing.T) {
	var turn sync.Mutex
	var out bytes.Buffer
	var wg sync.WaitGroup
	sizes := []int{0, 10, 3000, turnBytes, turnBytes + 1, 3 * turnBytes, 5000, 2 * turnBytes}
	for i, n := range sizes {
		wg.Go(func() {
			w := &turnWriter{turn: &turn, to: &out}
			defer w.end()
			chunk := bytes.Repeat([]byte{byte('a' + i)}, 1+n/7)
			for left := n; left > 0; left -= len(chunk) {
				if _, err := w.Write(chunk[:min(left, len(chunk))]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i, n := range sizes {
		c := string(rune('a' + i))
		if got := bytes.Count(out.Bytes(), []byte(c)); got != n {
			t.Errorf("%s: %d bytes of %d", c, got, n)
		}
		if n > 0 && !bytes.Contains(out.Bytes(), bytes.Repeat([]byte(c), n)) {
			t.Errorf("%s does not stand together", c)
		}
	}
}
