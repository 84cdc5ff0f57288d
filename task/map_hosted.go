package task

import (
	"context"
	"iter"
)

// hostedMapping is a [Map] whose consumer is on a coroutine. All of it stands
// on one goroutine: inputs, calls and consumer take turns.
type hostedMapping[In, Out any] struct {
	host   Host
	fn     func(context.Context, In) (Out, error)
	window int
	open   int           // inputs taken and not yet yielded
	ready  []result[Out] // not yet yielded: in order of completion, or
	held   []result[Out] // in a ring by input; its seq is one more, 0 is free
	total  int           // inputs, once that is known; else -1
	last   error         // comes after all results
	hungry func()        // wakes the consumer, which waits for a result
	eager  func()        // wakes the feeder, which waits for room
}

func (m *hostedMapping[In, Out]) run(ctx context.Context, limit int, in iter.Seq2[In, error], yield func(Out, error) bool) {
	more := true
	err := Run(ctx, nil, func(calls *Group) error { // for its context
		// Outcomes must not be dropped when ctx ends, so this group does not.
		return Run(context.WithoutCancel(ctx), &Options{Limit: limit + 1}, func(g *Group) error {
			defer calls.cancel(errBreak)
			g.Go("", func(context.Context) error {
				m.feed(calls.Context(), ctx, g, in)
				return nil
			})
			more = m.yieldAll(g.Context(), yield)
			return nil
		})
	})
	if err != nil && more { // fn or in called Goexit
		var zero Out
		yield(zero, err)
	}
}

// feed takes the inputs and starts a task for each. parent is the context
// that ctx, that of the calls, comes from.
func (m *hostedMapping[In, Out]) feed(ctx, parent context.Context, g *Group, in iter.Seq2[In, error]) {
	n := 0
	end := func(err error) {
		m.total, m.last = n, err
		signal(&m.hungry)
	}
	for item, err := range in {
		if err != nil {
			end(err)
			return
		}
		seq := n
		n++
		for m.open >= m.window && ctx.Err() == nil {
			if m.await(g.Context(), ctx, &m.eager) != nil {
				return // a call panicked
			}
		}
		if ctx.Err() != nil {
			m.put(result[Out]{seq: seq, err: ended(parent)})
			end(ended(parent))
			return
		}
		m.open++
		g.Go("", func(context.Context) error {
			r := result[Out]{seq: seq}
			if ctx.Err() != nil {
				r.err = ended(ctx)
			} else {
				r.out, r.err = m.fn(ctx, item)
			}
			m.put(r)
			return nil
		})
	}
	end(ended(parent))
}

// await waits for the signal, or for the end of also; the error is that of
// ctx.
func (m *hostedMapping[In, Out]) await(ctx, also context.Context, s *func()) error {
	var w Watcher
	err := m.host.Suspend(ctx, func(wake func()) {
		*s = wake
		if also != nil {
			w.Watch(also, waking(wake))
		}
	})
	w.Stop()
	*s = nil
	return err
}

type waking func()

// ContextEnded implements [Watching].
func (w waking) ContextEnded() { w() }

func signal(s *func()) {
	if *s != nil {
		(*s)()
	}
}

// put takes in a result.
func (m *hostedMapping[In, Out]) put(r result[Out]) {
	if m.held == nil {
		m.ready = append(m.ready, r)
	} else {
		m.held[r.seq%len(m.held)] = result[Out]{r.seq + 1, r.out, r.err}
	}
	signal(&m.hungry)
}

// next returns the result that is to be yielded as number n, if it is there.
func (m *hostedMapping[In, Out]) next(n int) (r result[Out], ok bool) {
	if m.held != nil {
		slot := &m.held[n%len(m.held)]
		if slot.seq != n+1 {
			return r, false
		}
		r, *slot = *slot, r
		return r, true
	}
	if len(m.ready) == 0 {
		return r, false
	}
	r, m.ready[0] = m.ready[0], r
	m.ready = m.ready[1:]
	return r, true
}

// yieldAll yields the results and the last error. It reports whether the
// consumer would take more.
func (m *hostedMapping[In, Out]) yieldAll(ctx context.Context, yield func(Out, error) bool) bool {
	for n := 0; n != m.total; {
		r, ok := m.next(n)
		if !ok {
			if m.await(ctx, nil, &m.hungry) != nil {
				return true // Run tells why
			}
			continue
		}
		n++
		m.open--
		signal(&m.eager)
		if !yield(r.out, r.err) {
			return false
		}
	}
	var zero Out
	return m.last == nil || yield(zero, m.last)
}
