package models

import (
	"errors"

	"github.com/leat-dev/leat/loop"
)

// Reactor turns the loop of [Selecting] inside out: it is written once, and
// calls whoever has registered for an event. What is not an event of a
// descriptor is "as soon as possible", here a callback that posts itself
// again. All callbacks are equal: between two looks at the socket, every
// computation runs a slice.
func Reactor(l *loop.Loop, s loop.Stream, data []byte, computes ...func() bool) error {
	for _, compute := range computes {
		var step func()
		step = func() {
			if compute() {
				l.Post(loop.IO, step)
			}
		}
		l.Post(loop.IO, step)
	}
	return send(l, s, data)
}

// send writes whenever there is room, and closes at the end.
func send(l *loop.Loop, s loop.Stream, data []byte) error {
	return s.OnWritable(func() {
		n, err := s.Write(data)
		if data = data[n:]; len(data) == 0 || err != nil && !errors.Is(err, loop.ErrNotReady) {
			_ = s.Close()
		}
	})
}
