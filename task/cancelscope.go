package task

import (
	"context"
	"sync"
	"time"
)

// A Scope is a context that can be cancelled with a reason and has a deadline
// that can be moved. It stands below another context, of a task or not, and
// above those made from it: groups run in a scope end with it, and scopes
// nest. Make it with [NewScope]. It is safe for concurrent use.
//
// Cancellation is a level, not an edge: from then on everything that waits
// under the scope is refused, until the scope is left. What a task returns in
// spite of it counts.
type Scope struct {
	parent context.Context
	keeper context.Context // of the standard library, for context.Cause
	keep   context.CancelCauseFunc
	name   string
	shield bool
	made   site

	mu       sync.Mutex
	done     chan struct{}
	err      error
	deadline time.Time
	stop     func() bool // of the timer
	unlink   func()      // from parent
	after    map[*func()]struct{}
}

// ScopeOptions are the settings of a scope. The zero value and nil mean the
// defaults.
type ScopeOptions struct {
	// Name stands for the scope in its causes. Default: none.
	Name string
	// Deadline is when the scope ends. Default: never.
	Deadline time.Time
	// Timeout is the same, counted from now. The earlier one counts.
	Timeout time.Duration
	// Shield keeps the cancellation and the deadline of the context above
	// away, for work that must be brought to an end, such as taking back what
	// was half done. Give it a Timeout. Default: no shield.
	Shield bool
}

// NewScope returns a scope below ctx. The caller must call [Scope.Close] when
// it leaves it.
//
//go:noinline
func NewScope(ctx context.Context, opts *ScopeOptions) *Scope {
	return newScope(ctx, opts, callerPC())
}

func newScope(ctx context.Context, opts *ScopeOptions, pc uintptr) *Scope {
	if opts == nil {
		opts = &ScopeOptions{}
	}
	s := &Scope{parent: ctx, name: opts.Name, shield: opts.Shield, made: siteOf(pc), done: make(chan struct{})}
	s.keeper, s.keep = context.WithCancelCause(context.WithoutCancel(ctx))
	if !s.shield {
		if ctx.Err() != nil {
			s.ContextEnded()
			return s
		}
		s.unlink = s.follow(ctx)
	}
	at := opts.Deadline
	if opts.Timeout > 0 {
		if t := now(ctx).Add(opts.Timeout); at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if !at.IsZero() {
		s.setDeadline(at)
	}
	return s
}

// follow has the scope told when ctx ends, until unlink is called.
func (s *Scope) follow(ctx context.Context) (unlink func()) {
	h := stackHost(ctx)
	if h == nil {
		stop := context.AfterFunc(ctx, s.ContextEnded)
		return func() { stop() }
	}
	w := &Watcher{}
	w.Watch(ctx, s)
	return func() {
		if h.Stack() != nil {
			w.Stop()
		} else {
			h.Post(w.Stop)
		}
	}
}

// ContextEnded implements [Watching]: the context above has ended.
func (s *Scope) ContextEnded() {
	if err := s.parent.Err(); err != nil {
		s.end(err, context.Cause(s.parent))
	}
}

// Close leaves the scope: its context ends, if it has not, and its timer is
// let go. It may be called more than once.
func (s *Scope) Close() {
	s.mu.Lock()
	unlink := s.unlink
	s.unlink = nil
	s.mu.Unlock()
	if unlink != nil {
		unlink()
	}
	s.end(context.Canceled, context.Canceled)
}

// Cancel ends the scope for a reason. ctx is that of the caller, who is named
// in the cause, a [*Cancellation]. It does nothing if the scope has ended.
//
//go:noinline
func (s *Scope) Cancel(ctx context.Context, reason error) {
	by := &record{at: siteOf(callerPC())}
	s.end(context.Canceled, &Cancellation{Scope: s.name, Reason: reason, By: Path(ctx), At: by.spawned()})
}

// SetDeadline moves the deadline of the scope: earlier, later, or away with
// the zero time. That of the context above still counts, unless the scope is
// a shield. One that has passed ends the scope at once. It does nothing if
// the scope has ended.
func (s *Scope) SetDeadline(t time.Time) { s.setDeadline(t) }

func (s *Scope) setDeadline(t time.Time) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
	s.deadline = t
	if t.IsZero() {
		s.mu.Unlock()
		return
	}
	d := t.Sub(now(s.parent))
	if d > 0 {
		s.stop = afterFunc(s.parent, d, func() { s.expire(t) })
	}
	s.mu.Unlock()
	if d <= 0 {
		s.expire(t)
	}
}

// expire ends the scope if its deadline is still t.
func (s *Scope) expire(t time.Time) {
	s.mu.Lock()
	moved := !s.deadline.Equal(t)
	s.mu.Unlock()
	if !moved {
		s.end(context.DeadlineExceeded, &TimeoutError{Scope: s.name, Deadline: t, At: (&record{at: s.made}).spawned(), by: s})
	}
}

// end ends the scope, if it has not ended.
func (s *Scope) end(err, cause error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.keep(cause) // first: who sees the end must see the cause
	s.err = err
	after := s.after
	s.after = nil
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
	close(s.done)
	s.mu.Unlock()
	for f := range after {
		(*f)()
	}
}

// Deadline implements [context.Context]: it is the earlier one of the scope
// and of what is above.
func (s *Scope) Deadline() (time.Time, bool) {
	s.mu.Lock()
	own := s.deadline
	s.mu.Unlock()
	if !s.shield {
		if above, ok := s.parent.Deadline(); ok && (own.IsZero() || above.Before(own)) {
			return above, true
		}
	}
	return own, !own.IsZero()
}

// Done implements [context.Context].
func (s *Scope) Done() <-chan struct{} { return s.done }

// Err implements [context.Context].
func (s *Scope) Err() error {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err == nil && !s.shield && s.parent.Err() != nil {
		s.ContextEnded() // at once: the notice may be on its way
		return s.Err()
	}
	return err
}

// Value implements [context.Context].
func (s *Scope) Value(key any) any { return s.keeper.Value(key) }

// AfterFunc has f called when the scope ends; f must not block. stop takes
// that back, and reports whether it was in time. Package context uses it for
// the contexts below the scope.
func (s *Scope) AfterFunc(f func()) (stop func() bool) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		f()
		return func() bool { return false }
	}
	if s.after == nil {
		s.after = map[*func()]struct{}{}
	}
	s.after[&f] = struct{}{}
	s.mu.Unlock()
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, there := s.after[&f]
		delete(s.after, &f)
		return there
	}
}

// A Timer is a [Host] that has a clock of its own.
type Timer interface {
	// Now returns the time.
	Now() time.Time
	// AfterFunc has f called on the host when d has passed, unless stop is
	// called before. It is safe from any goroutine.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

func now(ctx context.Context) time.Time {
	if t, ok := HostOf(ctx).(Timer); ok {
		return t.Now()
	}
	return time.Now()
}

func afterFunc(ctx context.Context, d time.Duration, f func()) (stop func() bool) {
	if t, ok := HostOf(ctx).(Timer); ok {
		return t.AfterFunc(d, f)
	}
	return time.AfterFunc(d, f).Stop
}
