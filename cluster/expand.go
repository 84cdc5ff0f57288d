package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// Bounds of one Listed input, and of what is listed and not yet on its way.
const (
	listNames    = 1024
	listBytes    = 256 << 10
	listBuffered = 8 // messages
	listInFlight = 4 // messages not yet applied
)

// expander lists the inputs of one job. One goroutine reads the stores and
// fills a buffer, another sends what is there as soon as the scheduler has
// caught up: early names travel alone, a long listing in full messages.
type expander struct {
	s      *Scheduler
	job    string
	cancel context.CancelFunc
	kick   chan struct{}

	mu       sync.Mutex
	room     sync.Cond      // the lister waits here
	upto     uint64         // how far the listing may go
	listed   uint64         // inputs sent or in the buffer
	buf      []sched.Listed // the last one still grows
	inFlight int
	ended    bool
	err      error
}

// expand starts, continues or stops the listing of a job. It runs on the
// loop.
func (s *Scheduler) expand(e *sched.Expand) {
	x := s.expanders[e.Job]
	switch {
	case e.Stop && x != nil:
		x.stop()
		delete(s.expanders, e.Job)
	case e.Stop:
	case x != nil:
		x.extend(e.Upto)
	default:
		ctx, cancel := context.WithCancel(s.ctx)
		x = &expander{s: s, job: e.Job, cancel: cancel, kick: make(chan struct{}, 1), upto: e.Upto, listed: e.From}
		x.room.L = &x.mu
		s.expanders[e.Job] = x
		s.group.Go(func() { x.list(ctx, e) })
		s.group.Go(func() { x.send(ctx) })
		context.AfterFunc(ctx, x.wakeAll)
	}
}

func (x *expander) stop() { x.cancel() }

func (x *expander) wakeAll() {
	x.mu.Lock()
	x.room.Broadcast()
	x.mu.Unlock()
}

// extend lets the listing go on until upto.
func (x *expander) extend(upto uint64) {
	x.mu.Lock()
	x.upto = max(x.upto, upto)
	x.room.Broadcast()
	x.mu.Unlock()
}

// applied notes that the machine took a Listed input.
func (x *expander) applied() {
	x.mu.Lock()
	x.inFlight--
	x.mu.Unlock()
	x.wake()
}

func (x *expander) wake() {
	select {
	case x.kick <- struct{}{}:
	default:
	}
}

// list reads the stores until the end, or until ctx ends.
func (x *expander) list(ctx context.Context, e *sched.Expand) {
	err := x.listAll(ctx, e)
	x.mu.Lock()
	x.ended, x.err = true, err
	x.mu.Unlock()
	x.wake()
}

func (x *expander) listAll(ctx context.Context, e *sched.Expand) error {
	spec, err := work.Decode(e.Spec)
	if err != nil {
		return err
	}
	skip, err := x.resume(ctx, e, len(spec.Inputs))
	if err != nil {
		return err
	}
	for _, pattern := range spec.Inputs {
		for m, err := range x.s.opts.Mux.Glob(ctx, pattern, nil) {
			if err != nil {
				return err
			}
			if past, err := skip(m.URL, m.Entry.Path); err != nil {
				return err
			} else if past {
				continue
			}
			if err := x.add(ctx, m.URL, m.Entry.Size); err != nil {
				return err
			}
		}
	}
	_, err = skip("", "")
	return err
}

// resume returns what says whether a name is one of those that the log has
// already. A listing is in order of the names of each pattern: with one
// pattern, all names up to the last one are skipped, whatever came or went
// meanwhile. With several, as many as there are in the log, and the last one
// of them has to be the same as then. It is asked for "" at the end.
func (x *expander) resume(ctx context.Context, e *sched.Expand, patterns int) (func(url, path string) (bool, error), error) {
	if e.From == 0 {
		return func(_, _ string) (bool, error) { return false, nil }, nil
	}
	in, err := x.s.cache.input(ctx, e.Last.Ref)
	if err != nil {
		return nil, err
	}
	if in.Listed == nil || in.Listed.Names.Len() == 0 {
		return nil, fault.New("read log", "", fault.Corrupt, fmt.Errorf("record %d lists nothing", e.Last.Ref.Seq))
	}
	lastURL, _ := in.Listed.Names.At(in.Listed.Names.Len() - 1)
	if patterns == 1 {
		_, lastPath, err := x.s.opts.Mux.Resolve(ctx, lastURL)
		return func(_, path string) (bool, error) { return path <= lastPath, nil }, err
	}
	changed := fault.New("list", lastURL, fault.Changed,
		errors.New("the listing of several patterns is not what it was before the scheduler was restarted; run the job again"))
	left := e.From
	return func(url, _ string) (bool, error) {
		if left == 0 {
			return false, nil
		}
		if left--; url == "" || left == 0 && url != lastURL {
			return false, changed
		}
		return true, nil
	}, nil
}

// add puts a name into the buffer, waiting while the listing is far enough
// ahead.
func (x *expander) add(ctx context.Context, url string, size int64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for (x.listed >= x.upto || len(x.buf) >= listBuffered) && ctx.Err() == nil {
		x.room.Wait()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	n := len(x.buf)
	if n == 0 || x.buf[n-1].Count >= listNames || len(x.buf[n-1].Names.Blob) >= listBytes {
		x.buf = append(x.buf, sched.Listed{Job: x.job})
		n++
	}
	l := &x.buf[n-1]
	l.Names.Append(url, size)
	l.Count++
	x.listed++
	if n == 1 && l.Count == 1 {
		x.wake()
	}
	return nil
}

// send passes the buffer on until the listing has ended.
func (x *expander) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.kick:
		}
		for {
			l := x.next(ctx)
			if l == nil {
				break
			}
			x.s.queue.host(false, &sched.Input{Listed: l})
			if l.EOF || l.Err != nil {
				return
			}
		}
	}
}

// next takes the next message out of the buffer; nil when there is nothing
// to say now.
func (x *expander) next(ctx context.Context) *sched.Listed {
	x.mu.Lock()
	defer x.mu.Unlock()
	if ctx.Err() != nil || x.inFlight >= listInFlight || len(x.buf) == 0 && !x.ended {
		return nil
	}
	l := sched.Listed{Job: x.job}
	if len(x.buf) > 0 {
		l = x.buf[0]
		x.buf = x.buf[1:]
	}
	if x.ended && len(x.buf) == 0 {
		l.EOF = x.err == nil
		if x.err != nil {
			l.Err = problemOf(x.err)
		}
	}
	x.inFlight++
	x.room.Broadcast()
	return &l
}
