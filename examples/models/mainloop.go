package models

import "github.com/leat-dev/leat/loop"

// MainLoop is the loop of graphical programs: callbacks have a priority, and
// an idle one runs when there is nothing else. One idle callback runs between
// two looks at the socket, however many computations there are; so computing
// takes exactly the time that the socket leaves over.
func MainLoop(l *loop.Loop, s loop.Stream, data []byte, computes ...func() bool) error {
	for _, compute := range computes {
		idle(l, compute)
	}
	return send(l, s, data)
}

// idle runs compute, a slice at a time, when there is nothing else to do.
func idle(l *loop.Loop, compute func() bool) {
	var step func()
	step = func() {
		if compute() {
			l.Post(loop.Idle, step)
		}
	}
	l.Post(loop.Idle, step)
}
