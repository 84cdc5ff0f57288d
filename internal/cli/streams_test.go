package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

// newTestApp returns an app and what it writes.
func newTestApp(terminal bool) (a *App, out, err *bytes.Buffer) {
	out, err = new(bytes.Buffer), new(bytes.Buffer)
	s := NewStreams(nil, out, err)
	s.OutTerm, s.ErrTerm = terminal, terminal
	return &App{Streams: s, progress: "auto", color: "auto"}, out, err
}

// A terminal gets names that cannot steer it; a pipe gets the bytes.
func TestVisible(t *testing.T) {
	for name, want := range map[string]string{
		"plain":       "plain",
		"ünï 漢":       "ünï 漢",
		"a b":         "a b",
		"a\nb":        `"a\nb"`,
		"\x1b[2J":     `"\x1b[2J"`,
		"a\xffb":      `"a\xffb"`,
		"a\u202eb":    `"a\u202eb"`,
		"a\uFFFDb":    "a\uFFFDb",
		`quo"te`:      `quo"te`,
		"\x7f":        `"\x7f"`,
		"tab\tinside": `"tab\tinside"`,
	} {
		term, _, _ := newTestApp(true)
		pipe, _, _ := newTestApp(false)
		if got := term.visible(name); got != want {
			t.Errorf("on a terminal %q shows as %s, want %s", name, got, want)
		}
		if got := pipe.visible(name); got != name {
			t.Errorf("on a pipe %q shows as %q", name, got)
		}
	}
}

// A message is one line, whatever is in the error.
func TestSay(t *testing.T) {
	a, _, err := newTestApp(true)
	a.say("two\nlines\x1b[2J\r\n")
	if got, want := err.String(), "leat: two lines\uFFFD[2J\uFFFD\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestListingOnTerminal(t *testing.T) {
	mtime := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	file := fsys.Entry{Path: "d/a\nb", Kind: fsys.File, Size: 1536, ModTime: mtime}
	a, out, _ := newTestApp(true)
	a.Color = true
	_ = a.printName("a\nb", file, true, false)
	_ = a.printName("d/", fsys.Entry{Kind: fsys.Dir}, true, false)
	want := " 1.50 KiB  2026-01-02 03:04  \"a\\nb\"\n" + "        -                 -  \x1b[1;34md/\x1b[0m\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out, want)
	}
	a, out, _ = newTestApp(false)
	_ = a.printName("a\nb", file, true, true)
	if err := a.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "1536\t" + mtime.UTC().Format(time.RFC3339) + "\ta\nb\x00"; out.String() != want {
		t.Errorf("%q, want %q", out, want)
	}
}

// What a pipe cannot take any more ends the output quietly, for good.
func TestClosedPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	s := NewStreams(nil, w, new(bytes.Buffer))
	if _, err := s.Write([]byte("x")); !isBrokenPipe(err) {
		t.Errorf("write: %v", err)
	}
	err = s.record([]byte("x\n"))
	if err == nil {
		err = s.Flush()
	}
	if !isBrokenPipe(err) {
		t.Errorf("record: %v", err)
	}
}

// Records reach a pipe soon, not only when the buffer is full.
func TestRecordsAreFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, out, _ := newTestApp(false)
		_ = a.record([]byte("first\n"))
		<-time.After(flushEvery + time.Millisecond) // virtual: makes the next record late
		_ = a.record([]byte("second\n"))
		if out.String() != "first\nsecond\n" {
			t.Errorf("%q has come out", out)
		}
		_ = a.record([]byte("third\n")) // at once, and none follows
		<-time.After(2 * flushEvery)
		synctest.Wait()
		if out.String() != "first\nsecond\nthird\n" {
			t.Errorf("%q has come out", out)
		}
	})
}

func TestJSONNames(t *testing.T) {
	a, out, _ := newTestApp(false)
	for _, name := range []string{"a&<b>", "a\xffb"} {
		_ = a.printJSON(newEntryJSON(name, "s3://b/"+name, fsys.Entry{Kind: fsys.File, Size: 0}))
	}
	_ = a.Flush()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if lines[0] != `{"name":"a&<b>","url":"s3://b/a&<b>","kind":"file","size":0}` {
		t.Errorf("%s", lines[0])
	}
	var e entryJSON
	if err := json.Unmarshal([]byte(lines[1]), &e); err != nil || string(e.NameB64) != "a\xffb" || string(e.URLB64) != "s3://b/a\xffb" {
		t.Errorf("%s: %v", lines[1], err)
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 1536: "1.50 KiB", 10 << 20: "10.0 MiB", 200 << 30: "200 GiB", 1<<63 - 1: "8.00 EiB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "7b": 7, "64k": 64 << 10, "64K": 64 << 10, "1.5MiB": 3 << 19, "2GB": 2e9, "1 t": 1 << 40, "1PiB": 1 << 50,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "k", "-1", "1x", "1kk", "1bk", "1e400", "9000000p", "1ii", "nan", "inf"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("parseSize(%q) = %d", text, got)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"1", "1.5MiB", "9e18", "1kb ", "b", "0x1p4", "infinity"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parseSize(text); err == nil && n < 0 {
			t.Errorf("parseSize(%q) = %d", text, n)
		}
	})
}

// Off a terminal a line comes now and then, and none after the end.
func TestProgressLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, err := newTestApp(false)
		var p bulk.Progress
		end := a.startProgress("copied", p.Snapshot)
		<-time.After(2*logEvery + time.Second) // virtual: lets two lines come
		end()
		<-time.After(10 * logEvery)
		want := "leat: copied 0 of 0+, 30s\nleat: copied 0 of 0+, 1m0s\n"
		if err.String() != want {
			t.Errorf("%q, want %q", err, want)
		}
	})
}

func TestProgressLine(t *testing.T) {
	for _, c := range []struct {
		s    bulk.Snapshot
		want string
	}{
		{bulk.Snapshot{Done: 1234, Items: 10000, Complete: true, Sized: true, Bytes: 4 << 20, ItemBytes: 1 << 30}, "copied 1,234 of 10,000, 4.00 MiB of 1.00 GiB, 2.00 MiB/s, 2s, 8m30s left"},
		{bulk.Snapshot{Done: 3, Items: 9, Bytes: 2048, Failed: 1}, "copied 3 of 9+, 2.00 KiB, 1.00 KiB/s, 1 failed, 2s"},
		{bulk.Snapshot{Done: 2, Skipped: 1, Items: 9, Complete: true}, "copied 2 of 9, 2s, 4s left"},
		{bulk.Snapshot{Done: 9, Items: 9, Complete: true}, "copied 9 of 9, 2s"},
	} {
		if got := progressLine("copied", c.s, 2*time.Second); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// A bar is drawn on a terminal, messages come above it whole, and nothing of
// it is left.
func TestProgressBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, err := newTestApp(true)
		var p bulk.Progress
		end := a.startProgress("copied", p.Snapshot)
		a.say("before it is drawn")
		<-time.After(drawAfter + 2*redrawEvery) // virtual: lets it be drawn
		synctest.Wait()
		a.say("while it is drawn")
		<-time.After(2 * redrawEvery)
		a.say("just before the end")
		end()
		a.say("afterwards")
		got := err.String()
		for _, want := range []string{"leat: before it is drawn\n", "copied 0 of 0+", "leat: while it is drawn\n", "leat: just before the end\n", "leat: afterwards\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is not in %q", want, got)
			}
		}
		if n := strings.Count(got, "copied 0 of 0+"); n > 10 {
			t.Errorf("drawn %d times in 0.8 s", n)
		}
	})
}

func TestProgressIsQuiet(t *testing.T) {
	for _, a := range []*App{{quiet: true, progress: "auto"}, {progress: "never"}} {
		var err bytes.Buffer
		a.Streams = NewStreams(nil, &err, &err)
		a.ErrTerm = true
		a.startProgress("copied", new(bulk.Progress).Snapshot)()
		if err.Len() > 0 {
			t.Errorf("wrote %q", &err)
		}
	}
}

// The first errors are repeated with a count, after all else.
func TestRepeat(t *testing.T) {
	a, _, out := newTestApp(false)
	sum := bulk.Summary{Done: 9975, Failed: 25}
	for i := range 25 {
		sum.Errors = append(sum.Errors, fault.New("open", fmt.Sprint("s3://b/", i), fault.NotExist, nil))
	}
	a.repeat(&sum)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 21 || lines[0] != "leat: 25 of 10,000 failed; the first 20:" || lines[20] != "leat:   open: s3://b/19: does not exist" {
		t.Errorf("%q", lines)
	}
}

func TestHints(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fault.New("open", "s3://b/k", fault.Permission, nil), "AWS_ACCESS_KEY_ID"},
		{fault.New("open", "/x", fault.Permission, nil), ""},
		{fault.New("list", "s3://b", fault.Unavailable, syscall.ECONNREFUSED), "AWS_ENDPOINT_URL"},
		{fault.New("list", "https://h", fault.Timeout, nil), "later"},
		{fault.New("copy", "/x*", fault.NotExist, nil), "--raw"},
		{fault.New("copy", "/x", fault.IsDir, nil), "-R"},
		{fault.New("copy", "/x", fault.Invalid, &bulk.SpellingError{Text: "t", Hint: "do this"}), "do this"},
		{errors.New("x"), ""},
	} {
		got := hintFor([]error{c.err})
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%v: hint %q, want one with %q", c.err, got, c.want)
		}
	}
}
