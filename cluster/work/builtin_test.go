package work

import (
	"slices"
	"strings"
	"testing"
	"unicode"
)

// pieces scans text cut at the given places.
func pieces(text string, cuts ...int) []string {
	var s wordScanner
	var words []string
	add := func(w []byte) { words = append(words, string(w)) }
	for _, c := range cuts {
		c = min(c, len(text))
		s.scan([]byte(text[:c]), add)
		text = text[c:]
	}
	s.scan([]byte(text), add)
	s.end(add)
	return words
}

// wordsOf is the plain way.
func wordsOf(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool {
		return r == unicode.ReplacementChar || r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

func TestWords(t *testing.T) {
	rnd := source(t)
	parts := []string{"a", "Z", "_", "9", "é", "語", "𝐀", " ", "\n", "-", "\xff", "\xe8\xaa", "\xc3", "٣", "\uFFFD", "'"}
	for range 3000 {
		var b strings.Builder
		for range rnd.IntN(20) {
			b.WriteString(parts[rnd.IntN(len(parts))])
		}
		text := b.String()
		cuts := []int{rnd.IntN(5), rnd.IntN(3), rnd.IntN(3), rnd.IntN(8)}
		want := wordsOf(text)
		if got := pieces(text, cuts...); !slices.Equal(got, want) {
			t.Fatalf("%q cut at %v: %q, want %q", text, cuts, got, want)
		}
	}
}

func BenchmarkWords(b *testing.B) {
	text := []byte(strings.Repeat("func (s *wordScanner) scan(p []byte, fn func([]byte)) {\n", 2000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var s wordScanner
		s.scan(text, func([]byte) {})
	}
}
