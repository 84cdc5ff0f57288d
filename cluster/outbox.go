package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// outbox is the leader's half of the connection to one session: effects wait
// as they are until the window has room; only then are names and results
// read from the log and encoded, on the outbox's own goroutine. So a slow
// peer costs a reference for each effect, and does not slow the others.
type outbox struct {
	s       *Scheduler
	session string
	kick    chan struct{}

	mu     sync.Mutex
	queue  []sched.Effect
	out    window
	acked  uint64 // number of the last input that is in the log
	ackDue bool
	closed bool
}

// Bounds of what is under way to one session.
const (
	outboxBytes    = 8 << 20
	outboxMessages = 1024
)

func newOutbox(s *Scheduler, session string) *outbox {
	return &outbox{s: s, session: session, kick: make(chan struct{}, 1)}
}

// push queues an effect. It does not block.
func (o *outbox) push(e sched.Effect) {
	o.mu.Lock()
	o.queue = append(o.queue, e)
	o.mu.Unlock()
	o.wake()
}

// logged says up to which number the inputs of the session are in the log.
func (o *outbox) logged(num uint64) {
	o.mu.Lock()
	o.acked, o.ackDue = num, true
	o.mu.Unlock()
	o.wake()
}

// again repeats the last acknowledgement.
func (o *outbox) again() {
	o.mu.Lock()
	o.ackDue = true
	o.mu.Unlock()
	o.wake()
}

// ack takes an acknowledgement of the peer.
func (o *outbox) ack(epoch, got uint64) {
	if epoch != o.s.epoch {
		return
	}
	o.mu.Lock()
	moved := o.out.ack(got, time.Now()) && len(o.queue) > 0
	o.mu.Unlock()
	if moved {
		o.wake()
	}
}

// close ends run.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.queue = nil
	o.mu.Unlock()
	o.wake()
}

func (o *outbox) wake() {
	select {
	case o.kick <- struct{}{}:
	default:
	}
}

// run sends until ctx ends or the outbox is closed.
func (o *outbox) run(ctx context.Context) {
	tick := time.NewTicker(o.s.opts.timing.resend)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.kick:
		case <-tick.C:
			o.mu.Lock()
			if now := time.Now(); o.out.stalled(now, o.s.opts.timing.resend) {
				o.out.rewind(now)
			}
			o.mu.Unlock()
		}
		for o.step(ctx) {
		}
		o.mu.Lock()
		closed := o.closed
		o.mu.Unlock()
		if closed {
			return
		}
	}
}

// step encodes what fits a frame, sends it, and reports whether to go on.
func (o *outbox) step(ctx context.Context) bool {
	for o.fill(ctx) {
	}
	o.mu.Lock()
	first, raws := o.out.take(frameBytes)
	due := o.ackDue
	o.ackDue = false
	f := downFrame{Version: wireVersion, Epoch: o.s.epoch, Acked: o.acked, First: first, Count: len(raws)}
	closed := o.closed
	o.mu.Unlock()
	if closed || len(raws) == 0 && !due {
		return false
	}
	if err := o.s.bus.Publish(o.s.names.out(o.session), frame(&f, raws)); err != nil {
		o.s.opts.Log.Debug("publish", "session", o.session, "err", err) // the window repeats it
	}
	return len(raws) > 0
}

// fill moves one effect into the window, and reports whether there is room
// and reason for another before the next frame.
func (o *outbox) fill(ctx context.Context) bool {
	o.mu.Lock()
	if o.closed || len(o.queue) == 0 || o.out.unsent >= frameBytes ||
		o.out.bytes >= outboxBytes || len(o.out.items) >= outboxMessages {
		o.mu.Unlock()
		return false
	}
	e := o.queue[0]
	o.queue[0] = sched.Effect{}
	if o.queue = o.queue[1:]; len(o.queue) == 0 {
		o.queue = nil
	}
	o.mu.Unlock()
	m, err := o.s.message(ctx, &e)
	switch {
	case fault.KindOf(err) == fault.NotExist: // of a job that is forgotten
		o.s.opts.Log.Debug("effect of a purged record", "session", o.session, "err", err)
		return true
	case err != nil:
		if ctx.Err() == nil {
			o.s.fail(err)
		}
		return false
	}
	raw := encodeMessage(m)
	o.mu.Lock()
	o.out.push(raw, time.Now())
	o.mu.Unlock()
	return true
}
