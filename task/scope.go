package task

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A scope is the context of a group. Behind it stands one of the standard
// library, which costs as much as many tasks; so that is made only when
// somebody asks for more than Err: for Done, or through [context.Cause] or a
// context derived from this one.
type scope struct {
	parent context.Context
	std    atomic.Pointer[stdScope]
	over   atomic.Pointer[ending] // how it ended before std was made
	making sync.Mutex

	root  context.Context // the nearest above that is not of this package
	epoch atomic.Uint64   // of when neither this nor a scope above had ended
}

// cancels counts the scopes that were cancelled, in the whole process. While
// it stands still, a scope can only end with its root.
var cancels atomic.Uint64

// init sets what the scope comes from.
func (c *scope) init(parent context.Context) {
	c.parent, c.root = parent, parent
	if r, ok := parent.(*record); ok {
		c.root = r.g.scope.root
		c.epoch.Store(r.g.scope.epoch.Load())
		if r.g.scope.over.Load() != nil || r.g.scope.std.Load() != nil { // the end of a group is not counted
			c.epoch.Store(noEpoch)
		}
	}
}

// noEpoch is never the count: ended looks for itself.
const noEpoch = 1<<64 - 1

// ended is Err() != nil. It costs a few nanoseconds however deep the scopes
// nest.
func (c *scope) ended() bool {
	now := cancels.Load()
	if c.epoch.Load() == now {
		return c.root.Err() != nil
	}
	if c.Err() != nil {
		return true
	}
	c.epoch.Store(now)
	return false
}

type stdScope struct {
	context.Context
	cancel context.CancelCauseFunc
}

type ending struct{ err, cause error }

// closed is the ending of a group that was not cancelled.
var closed = &ending{context.Canceled, context.Canceled}

// Deadline implements [context.Context].
func (c *scope) Deadline() (time.Time, bool) { return c.parent.Deadline() }

// Done implements [context.Context].
func (c *scope) Done() <-chan struct{} { return c.make().Done() }

// Err implements [context.Context].
func (c *scope) Err() error {
	if e := c.over.Load(); e != nil { // first: std may not know yet
		return e.err
	}
	if s := c.std.Load(); s != nil {
		return s.Err()
	}
	return c.parent.Err()
}

// Value implements [context.Context].
func (c *scope) Value(key any) any {
	if key == stdKey || stdKey == nil {
		return c.make().Value(key)
	}
	return c.parent.Value(key)
}

// make returns the context of the standard library.
func (c *scope) make() *stdScope {
	if s := c.std.Load(); s != nil {
		return s
	}
	c.making.Lock()
	defer c.making.Unlock()
	if s := c.std.Load(); s != nil {
		return s
	}
	parent := c.parent
	if e := c.over.Load(); e != nil && parent.Err() != e.err {
		// The parent may end later, which must change nothing any more.
		parent = context.WithoutCancel(parent)
	}
	s := &stdScope{}
	s.Context, s.cancel = context.WithCancelCause(parent)
	if e := c.over.Load(); e != nil {
		s.cancel(e.cause)
	}
	c.std.Store(s)
	if e := c.over.Load(); e != nil { // came meanwhile
		s.cancel(e.cause)
	}
	return s
}

// cancel ends the context, if it has not ended; a nil cause is that of a
// group whose tasks have ended.
func (c *scope) cancel(cause error) {
	if cause != nil {
		defer cancels.Add(1)
	}
	if s := c.std.Load(); s != nil {
		s.cancel(cause)
		return
	}
	e := closed
	if err := c.parent.Err(); err != nil {
		e = &ending{err, context.Cause(c.parent)}
	} else if cause != nil {
		e = &ending{context.Canceled, cause}
	}
	if !c.over.CompareAndSwap(nil, e) {
		return
	}
	if s := c.std.Load(); s != nil { // made meanwhile
		s.cancel(e.cause)
	}
}

// stdKey is what the standard library asks a context for to find its own
// one behind it. If a later version does without, this is nil, and any
// unknown key makes the standard context.
var stdKey = func() any {
	var k keeper
	_ = context.Cause(&k)
	return k.key
}()

// A keeper is a context that keeps the key it was asked for.
type keeper struct{ key any }

// Deadline implements [context.Context].
func (*keeper) Deadline() (deadline time.Time, ok bool) { return }

// Done implements [context.Context].
func (*keeper) Done() <-chan struct{} { return nil }

// Err implements [context.Context].
func (*keeper) Err() error { return nil }

// Value implements [context.Context].
func (k *keeper) Value(key any) any {
	k.key = key
	return nil
}
