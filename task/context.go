package task

import (
	"context"
	"time"
)

// recordKey finds the record of the task that a context belongs to.
type recordKey struct{}

// Deadline implements [context.Context].
func (r *record) Deadline() (time.Time, bool) { return r.g.scope.Deadline() }

// Done implements [context.Context].
func (r *record) Done() <-chan struct{} { return r.g.scope.Done() }

// Err implements [context.Context].
func (r *record) Err() error { return r.g.scope.Err() }

// Value implements [context.Context].
func (r *record) Value(key any) any {
	if _, ok := key.(recordKey); ok {
		return r
	}
	return r.g.scope.Value(key)
}

// String names the context where one is printed.
func (r *record) String() string { return "task " + r.path() }

// pathSeparator stands between the names of a path. Names are often URLs, so
// it is not a slash.
const pathSeparator = " > "

// path returns the names from the root group down to r; empty ones are left
// out.
func (r *record) path() string {
	var names []string
	for r != nil {
		if r.name != "" {
			names = append(names, r.name)
		}
		if r != &r.g.self {
			r = &r.g.self
		} else {
			r = r.g.above
		}
	}
	var b []byte
	for i := len(names) - 1; i >= 0; i-- {
		b = append(b, names[i]...)
		if i > 0 {
			b = append(b, pathSeparator...)
		}
	}
	return string(b)
}

// Path returns the names of the task that ctx belongs to and of the groups
// and tasks above it, from the root, for messages and logs. It is empty
// outside of tasks.
func Path(ctx context.Context) string {
	r, _ := ctx.Value(recordKey{}).(*record)
	return r.path()
}

// Detach says that the caller is about to wait, so that others of its group
// get going first. It never blocks and does nothing outside of tasks or when
// no other task is pending. Leaving it out costs speed, never correctness. On
// a coroutine it does nothing, where a call that blocks holds up all others.
func Detach(ctx context.Context) {
	r, _ := ctx.Value(recordKey{}).(*record)
	if r == nil || r.g.stack != nil {
		return
	}
	g := r.g
	g.mu.Lock()
	spawn := g.wantHelper()
	g.mu.Unlock()
	if spawn {
		go g.help()
	}
}
