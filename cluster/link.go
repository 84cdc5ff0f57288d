package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// timing are the intervals of the protocol. All are measured on monotonic
// clocks.
type timing struct {
	beat       time.Duration // heartbeat of a peer
	leaderBeat time.Duration // heartbeat of the leader
	resend     time.Duration // without progress, before sending again
}

var defaultTiming = timing{beat: 250 * time.Millisecond, leaderBeat: 200 * time.Millisecond, resend: 500 * time.Millisecond}

// peerWindow bounds what a peer keeps for the leader before those who report
// have to wait.
const peerWindow = 4 << 20

// newSession returns a name that is never used again.
func newSession() string { return rand.Text() }

// link is a peer's half of the connection to whoever leads: inputs go up,
// numbered, kept until they are in the log, and sent again; messages come
// down in order, each once for an epoch. It is safe for concurrent use.
type link struct {
	bus     Bus
	names   subjects
	session string
	timing  timing
	log     *slog.Logger
	// recv gets messages, one at a time. It must not block.
	recv func(*message)
	// reset is called once when the leader ends the session.
	reset func(reason string)

	kick chan struct{}

	mu      sync.Mutex
	out     window
	room    chan struct{} // closed when the window has room again
	epoch   uint64
	got     uint64
	ackDue  bool
	over    bool
	drained chan struct{} // closed when all is acknowledged, if somebody waits
}

func newLink(bus Bus, names subjects, session string, t timing, log *slog.Logger) *link {
	return &link{
		bus: bus, names: names, session: session, timing: t, log: log,
		kick: make(chan struct{}, 1), room: make(chan struct{}),
	}
}

// run connects the link and serves it until ctx ends. Heartbeats come from
// here, so nothing else may block this goroutine.
func (l *link) run(ctx context.Context) error {
	stop, err := l.bus.Subscribe(l.names.out(l.session), func(_ string, data []byte) { l.receive(data) })
	if err != nil {
		return err
	}
	defer stop()
	tick := time.NewTicker(min(l.timing.beat, l.timing.resend))
	defer tick.Stop()
	l.flush()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.kick:
			l.flush()
		case <-tick.C:
			l.tick()
		}
	}
}

// send queues an input. It does not block; see [link.wait].
func (l *link) send(in *sched.Input) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return fault.New("send", "", fault.WorkerLost, fmt.Errorf("the session is over"))
	}
	in.Num = l.out.acked + uint64(len(l.out.items)) + 1
	raw := encodeInput(in)
	if len(raw) > maxInputBytes {
		return fault.New("send", "", fault.Invalid, fmt.Errorf("a message of %d bytes; %d are the most", len(raw), maxInputBytes))
	}
	l.out.push(raw, time.Now())
	l.wake()
	return nil
}

// wait blocks while too much is not acknowledged.
func (l *link) wait(ctx context.Context) error {
	for {
		l.mu.Lock()
		full, room := l.out.bytes > peerWindow && !l.over, l.room
		l.mu.Unlock()
		if !full {
			return ctx.Err()
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drain waits until all that was sent is in the log, or the session is over.
func (l *link) drain(ctx context.Context) {
	l.mu.Lock()
	if len(l.out.items) == 0 || l.over {
		l.mu.Unlock()
		return
	}
	if l.drained == nil {
		l.drained = make(chan struct{})
	}
	done := l.drained
	l.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// wake makes run flush; it never blocks.
func (l *link) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// flush sends what was not sent, and an acknowledgement if one is due.
func (l *link) flush() {
	for {
		l.mu.Lock()
		first, raws := l.out.take(frameBytes)
		due := l.ackDue
		l.ackDue = false
		f := upFrame{Version: wireVersion, Epoch: l.epoch, Got: l.got, Acked: l.out.acked}
		over := l.over
		l.mu.Unlock()
		switch {
		case over || len(raws) == 0 && !due:
			return
		case len(raws) == 0:
			l.publish(l.names.beat(l.session), &f, nil)
		default:
			f.First, f.Count = first, len(raws)
			l.publish(l.names.in(l.session), &f, raws)
		}
	}
}

func (l *link) publish(subject string, f *upFrame, raws [][]byte) {
	if err := l.bus.Publish(subject, frame(f, raws)); err != nil {
		l.log.Debug("publish", "subject", subject, "err", err) // the window repeats it
	}
}

// tick says that the peer lives, and goes back when nothing moves.
func (l *link) tick() {
	l.mu.Lock()
	if now := time.Now(); l.out.stalled(now, l.timing.resend) {
		l.out.rewind(now)
	}
	l.ackDue = true // so that flush sends a heartbeat if nothing else
	l.mu.Unlock()
	l.flush()
}

// receive takes a frame of a leader.
func (l *link) receive(data []byte) {
	var f downFrame
	raw, err := next(data, &f)
	if err != nil || f.Version != wireVersion {
		l.log.Warn("frame of the leader is not understood", "version", f.Version, "err", err)
		return
	}
	first, reset := l.take(&f)
	data = data[len(raw):]
	for i := 0; i < f.Count && first < f.Count && !reset; i++ {
		if i < first {
			raw, err = skip(data)
		} else {
			var m *message
			if m, raw, err = nextMessage(data); err == nil {
				l.recv(m)
			}
		}
		if err != nil {
			l.log.Error("message of the leader is not understood", "err", err)
			reset, f.Reason = true, "a message was not understood: "+err.Error()
		}
		data = data[len(raw):]
	}
	if reset {
		l.end()
		l.reset(f.Reason)
	}
}

// take updates the link by the header of a frame and returns the index of
// the first message that is new.
func (l *link) take(f *downFrame) (first int, reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || f.Epoch < l.epoch {
		return f.Count, false // an old leader that does not know yet
	}
	now := time.Now()
	if f.Epoch > l.epoch {
		l.epoch, l.got = f.Epoch, 0
		l.out.rewind(now)
		l.wake()
	}
	if f.Reset {
		return f.Count, true
	}
	if l.out.ack(f.Acked, now) {
		l.moved()
	}
	if f.Count > 0 {
		first = accept(l.got, f.First, f.Count)
		l.got += uint64(f.Count - first)
		l.ackDue = true
		l.wake()
	}
	return first, false
}

// acked reports whether anything of the session is in the log.
func (l *link) acked() bool { return l.ackedNum() > 0 }

// ackedNum returns the number of the last input that is in the log.
func (l *link) ackedNum() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.acked
}

// moved wakes those who wait for the window; the lock is held.
func (l *link) moved() {
	if l.out.bytes <= peerWindow {
		close(l.room)
		l.room = make(chan struct{})
	}
	if len(l.out.items) == 0 && l.drained != nil {
		close(l.drained)
		l.drained = nil
	}
}

// end stops the link for good.
func (l *link) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.over = true
	close(l.room)
	l.room = make(chan struct{})
	if l.drained != nil {
		close(l.drained)
		l.drained = nil
	}
}
