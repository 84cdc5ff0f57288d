package task

import (
	"errors"
	"fmt"
	"strings"
)

// ErrGoexit is the error of a task that called [runtime.Goexit], for example
// through the FailNow method of a test.
var ErrGoexit = errors.New("task called runtime.Goexit")

// errAbandoned is the cause when the body did not return.
var errAbandoned = errors.New("the body of the group panicked or called runtime.Goexit")

// A TaskError is the failure of one task, or of the body of a group.
type TaskError struct {
	// Name is the name of the task; for the body, that of its group.
	Name string
	// Path is the names from the root group to the task, joined by " > ".
	Path string
	// Spawned is the file and line that started the task.
	Spawned string
	// Err is what the task returned, or [ErrGoexit].
	Err error
	// Stack is where the task ended, if it did not return.
	Stack []byte

	seq uint32
}

func newTaskError(r *record, err error, stack []byte) *TaskError {
	return &TaskError{Name: r.name, Path: r.path(), Spawned: r.spawned(), Err: err, Stack: stack, seq: r.seq}
}

// Error returns the path and the cause. A cause that is the [Errors] of a
// group inside the task names its own paths, so it stands alone.
func (e *TaskError) Error() string {
	if inner, ok := e.Err.(Errors); ok || e.Path == "" {
		if ok {
			return inner.Error()
		}
		return e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *TaskError) Unwrap() error { return e.Err }

// Errors is everything that failed in a group, in the order in which the
// tasks were started; the body comes first. It is never empty.
type Errors []*TaskError

// shownErrors is how many failures a message tells.
const shownErrors = 3

// Error returns the first few messages and a count.
func (e Errors) Error() string {
	var b strings.Builder
	for i, t := range e[:min(len(e), shownErrors)] {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(t.Error())
	}
	switch more := len(e) - shownErrors; {
	case more == 1:
		b.WriteString("; and 1 more error")
	case more > 1:
		fmt.Fprintf(&b, "; and %d more errors", more)
	}
	return b.String()
}

// Unwrap returns the failures, for [errors.Is] and [errors.As].
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, t := range e {
		errs[i] = t
	}
	return errs
}

// A PanicError is raised by [Run] when a task panicked. When it ends the
// process, the stack of the task is printed with it.
type PanicError struct {
	// Value is what the task panicked with.
	Value any
	// Path and Spawned are as in [TaskError].
	Path, Spawned string
	// Stack is the stack of the task at the panic.
	Stack []byte
}

// newPanicError is called while r panics with v. One raised by a group inside
// the task keeps its stack.
func newPanicError(r *record, v any) *PanicError {
	if p, ok := v.(*PanicError); ok {
		return p
	}
	return &PanicError{Value: v, Path: r.path(), Spawned: r.spawned(), Stack: taskStack()}
}

// Error returns the value, the task and the stack.
func (p *PanicError) Error() string {
	return fmt.Sprintf("%v [in task %q started at %s]\n\n%s", p.Value, p.Path, p.Spawned, p.Stack)
}

// Unwrap returns the value if it is an error.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}
