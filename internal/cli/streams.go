package cli

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Streams are where a command reads and writes, and what is known about
// them. The methods are safe for concurrent use.
type Streams struct {
	// In is standard input.
	In io.Reader
	// OutTerm and ErrTerm say that standard output or standard error is a
	// terminal.
	OutTerm, ErrTerm bool
	// Color says that escape sequences for colour are welcome on Out.
	Color bool

	tag string // begins every message: which line of a file it is about

	mu      sync.Mutex // guards the fields below and every write
	out     io.Writer
	buf     *bufio.Writer // over out
	flushed time.Time
	late    *time.Timer // will flush; nil when it need not
	closed  bool        // nobody reads out any more
	err     io.Writer
}

// flushEvery bounds how long a record waits in the buffer.
const flushEvery = 100 * time.Millisecond

// NewStreams returns streams over the three files of a process. They are
// terminals only where the files are.
func NewStreams(in io.Reader, out, err io.Writer) *Streams {
	s := &Streams{In: in, out: out, err: err, OutTerm: isTerminal(out), ErrTerm: isTerminal(err)}
	s.buf = bufio.NewWriterSize(outWriter{s}, 64<<10)
	return s
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// outWriter writes to standard output and notes when it has been closed. The
// lock is held.
type outWriter struct{ s *Streams }

func (w outWriter) Write(b []byte) (int, error) {
	n, err := w.s.out.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		w.s.closed, err = true, errBrokenPipe
	}
	return n, err
}

// Write writes b to standard output without a buffer, after what is in it.
// The error of a closed pipe ends the program quietly.
func (s *Streams) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buf.Buffered() > 0 {
		if err := s.buf.Flush(); err != nil {
			return 0, err
		}
	}
	return outWriter{s}.Write(b)
}

// record writes one record of a result through the buffer.
func (s *Streams) record(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.buf.Write(b); err != nil {
		return err
	}
	if now := time.Now(); s.OutTerm || now.Sub(s.flushed) > flushEvery {
		s.flushed = now
		return s.buf.Flush()
	}
	if s.late == nil { // none may follow for long
		s.late = time.AfterFunc(flushEvery, s.flushLate)
	}
	return nil
}

// flushLate writes out the last of some records that came quickly. Its error
// stays with the buffer: the next record gets it.
func (s *Streams) flushLate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = nil
	s.flushed = time.Now()
	_ = s.buf.Flush()
}

// Flush writes out what is in the buffer.
func (s *Streams) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.late != nil {
		s.late.Stop()
		s.late = nil
	}
	return s.buf.Flush()
}

// say writes one line to standard error. Control characters are replaced, so
// that a name cannot speak for the program.
func (s *Streams) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.err, "leat: "+s.tag+oneLine(text)+"\n")
}

// An errWriter writes to the standard error of other streams.
type errWriter struct{ s *Streams }

func (w errWriter) Write(b []byte) (int, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.s.err.Write(b)
}

// redirectErr makes what is written to standard error go to what to returns
// for the writer that took it before, which redirectErr returns. Nothing is
// written meanwhile.
func (s *Streams) redirectErr(to func(old io.Writer) io.Writer) io.Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.err
	s.err = to(old)
	return old
}

func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return ' '
		case r < ' ', r == 0x7f:
			return utf8.RuneError
		}
		return r
	}, strings.TrimRight(text, "\n"))
}

// visible returns name as a terminal can show it: quoted, in the syntax of a
// Go string, when it has characters that are not printable or bytes that are
// not UTF-8. A pipe gets the bytes as they are.
func (s *Streams) visible(name string) string {
	if !s.OutTerm {
		return name
	}
	return quoteUnprintable(name)
}

func quoteUnprintable(name string) string {
	for i, r := range name {
		if r == utf8.RuneError && !strings.HasPrefix(name[i:], "\uFFFD") || !strconv.IsPrint(r) {
			return strconv.Quote(name)
		}
	}
	return name
}
