package fault

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

// An Error is a failed operation. It is immutable once returned.
type Error struct {
	// Op is the verb of the exported method, lower case: "open".
	Op string
	// Path is what the operation was about, as the caller wrote it; for a
	// file system it is the URL or the path inside it. May be empty.
	Path string
	// Kind says what the caller can do.
	Kind Kind
	// Origin names the place that failed where that is not this process: an
	// endpoint or a worker. May be empty.
	Origin string
	// RetryAfter is the wait that the service asked for, or 0.
	RetryAfter time.Duration
	// Err is the cause, or nil.
	Err error
}

// New returns an [Error] with the given parts. When err already is an
// [Error] of the same path, its kind and cause are taken over instead of
// being nested, so that a message names each thing once; a kind of [Unknown]
// is replaced by the kind of err.
func New(op, path string, kind Kind, err error) *Error {
	e := &Error{Op: op, Path: path, Kind: kind, Err: err}
	var inner *Error
	if errors.As(err, &inner) {
		if kind == Unknown {
			e.Kind = inner.Kind
		}
		e.Origin, e.RetryAfter = inner.Origin, inner.RetryAfter
		if direct, ok := err.(*Error); ok && (direct.Path == path || direct.Path == "") {
			e.Err = direct.Err
			if e.Err == nil {
				e.Err = direct.Kind.sentinel()
			}
		}
	} else if kind == Unknown {
		e.Kind = KindOf(err)
	}
	return e
}

// Error returns "op: path: cause"; parts that are empty are left out.
func (e *Error) Error() string {
	parts := make([]string, 0, 4)
	for _, s := range []string{e.Op, printable(e.Path)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	switch {
	case e.Err != nil:
		parts = append(parts, e.Err.Error())
	default:
		parts = append(parts, e.Kind.String())
	}
	if e.Origin != "" {
		parts[len(parts)-1] += " (at " + e.Origin + ")"
	}
	return strings.Join(parts, ": ")
}

// printable keeps a message on one line and free of terminal escapes.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, s)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the standard sentinel of e's kind.
func (e *Error) Is(target error) bool {
	s := e.Kind.sentinel()
	return s != nil && target == s
}

// KindOf classifies any error: the kind of the outermost [Error] in its
// chain, else the kind that matches a sentinel of the standard library, else
// [Unknown]. It returns [None] for nil.
func KindOf(err error) Kind {
	if err == nil {
		return None
	}
	var e *Error
	if errors.As(err, &e) && e.Kind != Unknown {
		return e.Kind
	}
	for _, c := range classes {
		if errors.Is(err, c.err) {
			return c.kind
		}
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return Timeout
	}
	return Unknown
}

// classes maps sentinels to kinds; the first match counts, so the narrow
// ones stand first.
var classes = []struct {
	err  error
	kind Kind
}{
	{context.Canceled, Canceled},
	{context.DeadlineExceeded, Timeout},
	{os.ErrDeadlineExceeded, Timeout},
	{fs.ErrNotExist, NotExist},
	{fs.ErrExist, Exist},
	{fs.ErrPermission, Permission},
	{syscall.EROFS, Permission},
	{syscall.ENOSPC, NoSpace},
	{syscall.EDQUOT, NoSpace},
	{syscall.EISDIR, IsDir},
	{syscall.ENOTDIR, NotExist},
	{syscall.ENOTEMPTY, Exist},
	{syscall.ENAMETOOLONG, Invalid},
	{syscall.ECONNREFUSED, Unavailable},
	{syscall.ECONNRESET, Unavailable},
	{syscall.ECONNABORTED, Unavailable},
	{syscall.EPIPE, Unavailable},
	{syscall.EHOSTUNREACH, Unavailable},
	{syscall.ENETUNREACH, Unavailable},
	{syscall.ETIMEDOUT, Unavailable},
	{fs.ErrInvalid, Invalid},
	{errors.ErrUnsupported, Unsupported},
	{io.ErrUnexpectedEOF, Unavailable},
}
