package work

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/leat-dev/leat/cluster/peer"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/sched"
	"github.com/leat-dev/leat/task"
)

// An outcome is a result: in value, or under key in the store.
type outcome struct {
	value []byte
	key   string
	size  int64
}

// A clock ends a context when the work on a unit has taken too long. It stands
// still while the unit waits for its turn. A nil clock is one without a bound.
type clock struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
	left   time.Duration
	since  time.Time
}

// newClock returns a clock that runs.
func (l *leaseRun) newClock(ctx context.Context) (context.Context, *clock) {
	d := l.plan.spec.Timeout
	if d <= 0 {
		return ctx, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	cause := fault.New("", "", fault.Timeout, fmt.Errorf("not done within %v", d))
	return ctx, &clock{cancel: cancel, left: d, since: time.Now(), timer: time.AfterFunc(d, func() { cancel(cause) })}
}

func (c *clock) pause() {
	if c != nil && c.timer.Stop() {
		c.left = max(c.left-time.Since(c.since), 0)
	}
}

func (c *clock) resume() {
	if c != nil {
		c.since = time.Now()
		c.timer.Reset(c.left)
	}
}

func (c *clock) stop() {
	if c != nil {
		c.timer.Stop()
		c.cancel(nil)
	}
}

// timeoutOf returns the cause in place of an error that only says that the
// context has ended.
func timeoutOf(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		if k := fault.KindOf(err); k == fault.Canceled || k == fault.Timeout {
			var ce *commandError
			if !asCommand(err, &ce) {
				return context.Cause(ctx)
			}
		}
	}
	return err
}

// do carries out one unit and reports it.
func (l *leaseRun) do(outer context.Context, u unit) {
	ctx, clock := l.newClock(outer)
	defer clock.stop()
	ins := l.inputs(u)
	release, err := l.fetchAhead(ctx, clock, ins)
	defer release()
	clock.pause()
	if err == nil {
		err = l.r.slots.Acquire(ctx, 1)
	}
	var o outcome
	if err == nil {
		clock.resume()
		o, err = l.compute(ctx, ins)
		l.r.slots.Release(1)
	}
	l.ended(outer, u, o, timeoutOf(ctx, err))
}

// doLazy calls a lazy function for some units; the caller has a slot. The
// memory of the inputs is shared, because it costs more than such calls do.
func (l *leaseRun) doLazy(outer context.Context, us []unit) {
	ins := make([]Input, len(us))
	for i, u := range us {
		if outer.Err() != nil {
			return
		}
		in := &ins[i]
		in.URL, in.Size = l.lease.Names.At(u.first)
		in.Index, in.res = u.rg.From, l.r.opts.Mux
		ctx, clock := l.newClock(outer)
		o, err := l.call(ctx, in)
		err = timeoutOf(ctx, err)
		clock.stop()
		l.ended(outer, u, o, err)
	}
}

// fetchAhead reads small inputs into memory, all at once, before they have a
// slot. release gives back what that took.
func (l *leaseRun) fetchAhead(ctx context.Context, clock *clock, ins []*Input) (release func(), err error) {
	some, total := l.pickAhead(ctx, ins)
	if len(some) == 0 {
		return func() {}, nil
	}
	clock.pause()
	if err := l.r.ahead.Acquire(ctx, total); err != nil {
		return func() {}, err
	}
	clock.resume()
	release = func() {
		for _, in := range some {
			in.release()
		}
		l.r.ahead.Release(total)
	}
	if len(some) == 1 {
		return release, some[0].fetchAhead(ctx, aheadBytes)
	}
	// What stays open lives longer than the group, so it is opened under the
	// context of the unit.
	err = task.Run(ctx, &task.Options{Limit: l.r.opts.Width}, func(g *task.Group) error {
		for _, in := range some {
			g.Go("", func(context.Context) error { return in.fetchAhead(ctx, aheadBytes) })
		}
		return nil
	})
	return release, firstError(err)
}

// pickAhead returns the inputs to read ahead and how many bytes they may
// have.
func (l *leaseRun) pickAhead(ctx context.Context, ins []*Input) (some []*Input, total int64) {
	for _, in := range ins {
		if l.wantsAhead(ctx, in) && total+aheadOf(in) <= aheadTotalBytes/4 {
			some = append(some, in)
			total += aheadOf(in)
		}
	}
	return some, total
}

// firstError takes an error out of a group's list: one is enough to say why
// the unit failed.
func firstError(err error) error {
	if list, ok := err.(task.Errors); ok && len(list) > 0 {
		return list[0].Err
	}
	return err
}

// wantsAhead reports whether in should be read before it has a slot: small,
// or of unknown size, and not a file that a command reads itself.
func (l *leaseRun) wantsAhead(ctx context.Context, in *Input) bool {
	if in.Size > aheadBytes {
		return false
	}
	if len(l.plan.spec.Command) > 0 {
		_, local := in.localPath(ctx)
		return !local
	}
	return true
}

// aheadOf is how many bytes of the budget in takes.
func aheadOf(in *Input) int64 {
	if in.Size < 0 {
		return aheadBytes
	}
	return in.Size
}

// compute makes the result of a unit; the caller has a slot.
func (l *leaseRun) compute(ctx context.Context, ins []*Input) (outcome, error) {
	if l.plan.spec.Func != "" {
		return l.call(ctx, ins[0])
	}
	return l.command(ctx, ins)
}

// call calls the function and keeps its result.
func (l *leaseRun) call(ctx context.Context, in *Input) (outcome, error) {
	value, err := l.callFunc(ctx, in)
	if err != nil {
		return outcome{}, err
	}
	if l.plan.out == nil {
		return l.keepValue(value)
	}
	return l.writeOut(ctx, in, func(w io.Writer) error {
		_, err := w.Write(value)
		return err
	})
}

// callFunc turns a panic into a failure: it must not take other inputs along.
func (l *leaseRun) callFunc(ctx context.Context, in *Input) (value []byte, err error) {
	normal := false
	defer func() {
		if normal {
			return
		}
		v := recover()
		stack := &tailWriter{}
		stack.Write(debug.Stack())
		err = &commandError{sched.Problem{Kind: fault.UserError, Stderr: stack.bytes(),
			Text: fmt.Sprintf("%s: %v: %v", l.plan.spec.Func, errPanic, v)}}
	}()
	value, err = l.plan.fn.fn(ctx, in)
	normal = true
	if err != nil && fault.KindOf(err) == fault.Unknown {
		err = fault.New(l.plan.spec.Func, in.URL, fault.UserError, err)
	}
	return value, err
}

// keepValue keeps a large result in the store, unless it is folded at once.
func (l *leaseRun) keepValue(value []byte) (outcome, error) {
	o := outcome{value: value, size: int64(len(value))}
	if len(value) <= inlineBytes || l.reduce {
		return o, nil
	}
	key := l.r.newKey("r")
	if err := l.r.opts.Store.Put(key, value); err != nil {
		return outcome{}, err
	}
	return outcome{key: key, size: o.size}, nil
}

// writeOut makes the result an object, whole or not at all.
func (l *leaseRun) writeOut(ctx context.Context, in *Input, write func(io.Writer) error) (outcome, error) {
	url, err := l.plan.out.name(ctx, in)
	if err != nil {
		return outcome{}, err
	}
	fs, path, err := l.r.opts.Mux.Resolve(ctx, url)
	if err != nil {
		return outcome{}, err
	}
	w, err := fs.Create(ctx, path, &fsys.CreateOptions{})
	if err != nil {
		return outcome{}, err
	}
	defer w.Abort()
	if err := write(w); err != nil {
		return outcome{}, err
	}
	if err := ctx.Err(); err != nil {
		return outcome{}, err
	}
	if _, err := w.Commit(ctx); err != nil {
		return outcome{}, err
	}
	return outcome{value: []byte(url), size: int64(len(url))}, nil
}

// keepFold stores what write writes as a partial.
func (r *Runner) keepFold(write func(io.Writer) error) (*sched.Partial, error) {
	key := r.newKey("p")
	w, err := r.opts.Store.Create(key)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	if err := write(w); err != nil {
		return nil, err
	}
	if _, err := w.Commit(); err != nil {
		return nil, err
	}
	return &sched.Partial{Key: key, Size: w.Size()}, nil
}

// keepOutput stores what write writes, inline when it is small.
func (r *Runner) keepOutput(key string, write func(io.Writer) error) (outcome, error) {
	w, err := r.opts.Store.Create(key)
	if err != nil {
		return outcome{}, err
	}
	defer w.Abort()
	if err := write(w); err != nil {
		return outcome{}, err
	}
	if value, ok := w.Bytes(); ok && w.Size() <= inlineBytes {
		return outcome{value: value, size: w.Size()}, nil
	}
	if _, err := w.Commit(); err != nil {
		return outcome{}, err
	}
	return outcome{key: key, size: w.Size()}, nil
}

// collect returns what write writes.
func collect(write func(io.Writer) error) (outcome, error) {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return outcome{}, err
	}
	return outcome{value: b.Bytes(), size: int64(b.Len())}, nil
}

var _ io.Writer = (*peer.Writer)(nil)
