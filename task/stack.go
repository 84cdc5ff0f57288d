package task

import (
	"bytes"
	"runtime/debug"
)

// here is how functions of this package begin in a stack trace.
const here = "github.com/leat-dev/leat/task."

// runners are the functions that call those of tasks.
var runners = [][]byte{
	[]byte("\n" + here + "(*Group).run("),
	[]byte("\n" + here + "(*Group).some("),
	[]byte("\n" + here + "(*Root).Run("),
}

// taskStack returns the stack of the task that ends at the moment, for a
// deferred function of its runner: without that, and without what is below,
// which may be tasks that wait for this one.
func taskStack() []byte {
	s := debug.Stack()
	head, frames, _ := bytes.Cut(s, []byte("\n"))
	for bytes.HasPrefix(frames, []byte(here)) || bytes.HasPrefix(frames, []byte("runtime/debug.")) {
		_, frames, _ = bytes.Cut(frames, []byte("\n")) // each is of two lines
		_, frames, _ = bytes.Cut(frames, []byte("\n"))
	}
	end := len(frames)
	for _, r := range runners {
		if i := bytes.Index(frames, r); i >= 0 {
			end = min(end, i+1)
		}
	}
	return append(append(head, '\n'), frames[:end]...)
}
