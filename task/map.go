package task

import (
	"context"
	"errors"
	"iter"
)

// MapOptions are the settings of [Map]. The zero value and nil mean the
// defaults.
type MapOptions struct {
	// Limit is how many calls of the function run at once. Default: 64; it is
	// no use to set it above the size of [Requests] where each call is one.
	Limit int
	// Ordered gives the results in the order of the inputs. Default: as they
	// are completed.
	Ordered bool
	// Window is how many inputs are taken and not yet yielded as a result,
	// which bounds memory. Default: twice Limit; it is at least Limit.
	Window int
}

const defaultMapLimit = 64

func (o *MapOptions) limits() (limit, window int, ordered bool) {
	if o == nil {
		o = &MapOptions{}
	}
	limit, window = o.Limit, o.Window
	if limit <= 0 {
		limit = defaultMapLimit
	}
	if window <= 0 {
		window = 2 * limit
	}
	return limit, max(limit, window), o.Ordered
}

// errBreak is the cause when the consumer of a [Map] has had enough.
var errBreak = errors.New("the consumer stopped")

// Map calls fn for each input, several at once, and yields what it returns.
// Nothing happens before the result is ranged over.
//
// Each input taken is yielded exactly once. An error of fn is the outcome of
// that input: it is yielded together with the value, and the others go on;
// the consumer decides whether to break. An error of in is the last pair: no
// further input is taken, and it is yielded after the results of all inputs
// before it. When ctx ends, the calls in progress are waited for, inputs
// taken but not begun have the error of ctx, or a [*CancelError], as their
// outcome, and the same is the last pair.
//
// Breaking out cancels the context of the calls in progress and waits for
// them, and for in to yield or return; so in must end when ctx does, or by
// itself. The inputs are taken on another goroutine than the consumer's, or
// another coroutine if that is on one, one at a time. A panic in fn or in is raised in the consumer as a
// [*PanicError].
func Map[In, Out any](ctx context.Context, in iter.Seq2[In, error], opts *MapOptions, fn func(ctx context.Context, item In) (Out, error)) iter.Seq2[Out, error] {
	limit, window, ordered := opts.limits()
	return func(yield func(Out, error) bool) {
		if h := stackHost(ctx); h != nil {
			m := &hostedMapping[In, Out]{host: h, fn: fn, window: window, total: -1}
			if ordered {
				m.held = make([]result[Out], window+1)
			}
			m.run(ctx, limit, in, yield)
			return
		}
		m := &mapping[In, Out]{
			fn:      fn,
			limit:   limit,
			jobs:    make(chan job[In]),
			results: make(chan result[Out], window+2),
			tokens:  make(chan struct{}, window),
		}
		if ordered {
			m.held = make([]result[Out], window+1)
		}
		calls, cancel := context.WithCancelCause(ctx)
		more := true
		// Outcomes must not be dropped when ctx ends, so the group does not.
		err := Run(context.WithoutCancel(ctx), nil, func(g *Group) error {
			defer cancel(errBreak)
			g.GoLater("", func(context.Context) error { return m.feed(calls, ctx, g, in) })
			more = m.yieldAll(g.Context(), yield)
			return nil
		})
		if err != nil && more { // fn or in called Goexit
			var zero Out
			yield(zero, err)
		}
	}
}

type job[In any] struct {
	seq  int
	item In
}

// A result with a negative seq is the last one sent, but not received: it
// says that there are -1-seq others.
type result[Out any] struct {
	seq int
	out Out
	err error
}

type mapping[In, Out any] struct {
	fn      func(context.Context, In) (Out, error)
	limit   int
	jobs    chan job[In]     // to workers that wait
	results chan result[Out] // never full: tokens bound what is under way
	tokens  chan struct{}    // one for each input not yet yielded
	held    []result[Out]    // ring of results that came early; nil: any order
}

// feed takes the inputs and hands each to a worker, adding workers up to the
// limit.
//
// parent is the context that ctx, that of the calls, comes from: in may see
// the end of the one before the other.
func (m *mapping[In, Out]) feed(ctx, parent context.Context, g *Group, in iter.Seq2[In, error]) error {
	defer close(m.jobs) // ends the workers
	n, workers := 0, 0
	for item, err := range in {
		if err != nil {
			m.end(n, err)
			return nil
		}
		j := job[In]{n, item}
		n++
		select {
		case m.tokens <- struct{}{}:
		case <-ctx.Done():
			m.results <- result[Out]{seq: j.seq, err: ended(parent)}
			m.end(n, ended(parent))
			return nil
		}
		select {
		case m.jobs <- j: // somebody is free
			continue
		default:
		}
		if workers < m.limit {
			workers++
			g.GoLater("", func(context.Context) error { return m.work(ctx, j) })
			continue
		}
		select {
		case m.jobs <- j:
		case <-g.Context().Done(): // a worker panicked
			return nil
		}
	}
	m.end(n, ended(parent))
	return nil
}

// end says that n results are all. The error travels with it, so that the
// consumer gets the results before it.
func (m *mapping[In, Out]) end(n int, err error) {
	m.results <- result[Out]{seq: -1 - n, err: err}
}

func (m *mapping[In, Out]) work(ctx context.Context, j job[In]) error {
	for ok := true; ok; j, ok = <-m.jobs {
		r := result[Out]{seq: j.seq}
		if ctx.Err() != nil {
			r.err = ended(ctx)
		} else {
			r.out, r.err = m.fn(ctx, j.item)
		}
		m.results <- r
	}
	return nil
}

// yieldAll yields the results and the last error. It reports whether the
// consumer would take more.
func (m *mapping[In, Out]) yieldAll(ctx context.Context, yield func(Out, error) bool) bool {
	var last result[Out]
	for n, total := 0, -1; n != total; {
		var r result[Out]
		select {
		case r = <-m.results:
		case <-ctx.Done():
			return true // Run tells why
		}
		switch {
		case r.seq < 0:
			last, total = r, -1-r.seq
		case m.held == nil:
			if !m.yield(r, yield) {
				return false
			}
			n++
		default:
			m.held[r.seq%len(m.held)] = result[Out]{r.seq + 1, r.out, r.err} // 0 is free
			for ; m.held[n%len(m.held)].seq == n+1; n++ {
				slot := &m.held[n%len(m.held)]
				r := *slot
				*slot = result[Out]{}
				if !m.yield(r, yield) {
					return false
				}
			}
		}
	}
	return last.err == nil || yield(last.out, last.err)
}

func (m *mapping[In, Out]) yield(r result[Out], yield func(Out, error) bool) bool {
	select {
	case <-m.tokens: // not taken for an input that came with the end of ctx
	default:
	}
	return yield(r.out, r.err)
}
