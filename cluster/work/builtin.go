package work

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

func builtinFuncs() map[string]funcEntry {
	return map[string]funcEntry{
		"noop":      {fn: noop, lazy: true},
		"bytes":     {fn: countBytes},
		"lines":     {fn: countLines},
		"words":     {fn: countWords},
		"sha256":    {fn: sumSHA256},
		"wordcount": {fn: wordCount},
	}
}

func noop(context.Context, *Input) ([]byte, error) { return nil, nil }

const readBufferBytes = 128 << 10

var readBuffers = sync.Pool{New: func() any { b := make([]byte, readBufferBytes); return &b }}

// eachChunk calls fn with all bytes of the input, a piece at a time. The
// pieces are only valid during the call.
func eachChunk(ctx context.Context, in *Input, fn func([]byte)) error {
	if data, ok := in.ahead(); ok {
		fn(data)
		return nil
	}
	r, err := in.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	buf := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(buf)
	for {
		n, err := r.Read(*buf)
		fn((*buf)[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func digits(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// countBytes counts what comes, rather than believe the listing.
func countBytes(ctx context.Context, in *Input) ([]byte, error) {
	var n int64
	err := eachChunk(ctx, in, func(p []byte) { n += int64(len(p)) })
	return digits(n), err
}

// countLines counts newlines, as wc -l does.
func countLines(ctx context.Context, in *Input) ([]byte, error) {
	var n int64
	err := eachChunk(ctx, in, func(p []byte) { n += int64(bytes.Count(p, []byte{'\n'})) })
	return digits(n), err
}

func sumSHA256(ctx context.Context, in *Input) ([]byte, error) {
	h := sha256.New()
	err := eachChunk(ctx, in, func(p []byte) { h.Write(p) })
	return hex.AppendEncode(nil, h.Sum(nil)), err
}

func countWords(ctx context.Context, in *Input) ([]byte, error) {
	var n int64
	var s wordScanner
	count := func([]byte) { n++ }
	err := eachChunk(ctx, in, func(p []byte) { s.scan(p, count) })
	s.end(count)
	return digits(n), err
}

// wordCount lists each word with its count, the most frequent first, equal
// counts in byte order.
func wordCount(ctx context.Context, in *Input) ([]byte, error) {
	type counted struct {
		word string
		n    int64
	}
	var words []counted
	at := map[string]int{} // where in words
	var s wordScanner
	count := func(word []byte) {
		if i, ok := at[string(word)]; ok {
			words[i].n++
			return
		}
		w := string(word)
		at[w] = len(words)
		words = append(words, counted{w, 1})
	}
	if err := eachChunk(ctx, in, func(p []byte) { s.scan(p, count) }); err != nil {
		return nil, err
	}
	s.end(count)
	slices.SortFunc(words, func(a, b counted) int {
		return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.word, b.word))
	})
	var out []byte
	for _, w := range words {
		out = strconv.AppendInt(out, w.n, 10)
		out = append(out, '\t')
		out = append(out, w.word...)
		out = append(out, '\n')
	}
	return out, nil
}

// isWordByte says which bytes are a character of a word on their own.
var isWordByte = func() (t [256]bool) {
	for c := range utf8.RuneSelf {
		t[c] = c == '_' || unicode.IsLetter(rune(c)) || unicode.IsDigit(rune(c))
	}
	return t
}()

// A wordScanner cuts text into words, maximal runs of letters, digits and
// "_", where text comes in pieces that may cut words and characters.
type wordScanner struct {
	word []byte // begun in earlier pieces
	part []byte // a character that is not complete yet
}

// scan calls fn for each word that ends in p. The word is only valid during
// the call.
func (s *wordScanner) scan(p []byte, fn func([]byte)) {
	if len(s.part) > 0 {
		p = append(s.part, p...)
		s.part = nil
	}
	start, i := 0, 0 // of the current word, and where we are
	for i < len(p) {
		c := p[i]
		if isWordByte[c] {
			i++
			continue
		}
		n := 1
		if c >= utf8.RuneSelf {
			if !utf8.FullRune(p[i:]) {
				s.part = bytes.Clone(p[i:])
				p = p[:i]
				break
			}
			var r rune
			r, n = utf8.DecodeRune(p[i:])
			if r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
				i += n
				continue
			}
		}
		if start < i || len(s.word) > 0 {
			s.emit(p[start:i], fn)
		}
		i += n
		start = i
	}
	s.word = append(s.word, p[min(start, len(p)):]...)
}

func (s *wordScanner) emit(rest []byte, fn func([]byte)) {
	if len(s.word) > 0 {
		s.word = append(s.word, rest...)
		fn(s.word)
		s.word = s.word[:0]
	} else if len(rest) > 0 {
		fn(rest)
	}
}

// end calls fn for a word at the end of the text. A character that was cut
// off there is not part of it.
func (s *wordScanner) end(fn func([]byte)) {
	s.part = nil
	s.emit(nil, fn)
}
