package models

import (
	"errors"

	"github.com/leat-dev/leat/loop"
)

// Callbacks gives each operation a function to call when it is done. What was
// a loop over pieces becomes a function that passes itself on; what was an
// error becomes an argument. An operation that is done at once must not call
// back at once: a long row of those would be a deep stack.
func Callbacks(l *loop.Loop, s loop.Stream, pieces [][]byte, done func(error)) {
	var next func(error)
	next = func(err error) {
		if err != nil || len(pieces) == 0 {
			_ = s.Close()
			done(err)
			return
		}
		piece := pieces[0]
		pieces = pieces[1:]
		write(l, s, piece, next)
	}
	next(nil)
}

// write writes all of p and then calls done from the loop.
func write(l *loop.Loop, s loop.Stream, p []byte, done func(error)) {
	n, err := s.Write(p)
	switch {
	case err != nil && !errors.Is(err, loop.ErrNotReady):
	case n < len(p):
		err = s.OnWritable(func() {
			_ = s.OnWritable(nil)
			write(l, s, p[n:], done)
		})
		if err == nil {
			return
		}
	default:
		err = nil
	}
	l.Post(loop.IO, func() { done(err) })
}
