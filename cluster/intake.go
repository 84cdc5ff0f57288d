package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// intake is the line of inputs for the next record. Control, that is what
// clients and the host itself say, goes before the bulk of reports and
// listings; the order of one sender is kept, because all of it is either.
// It is safe for concurrent use.
type intake struct {
	kick chan struct{}

	mu            sync.Mutex
	control, bulk []entry
	bytes         int
}

// entry is an input with its encoding.
type entry struct {
	in  *sched.Input
	raw []byte
}

// intakeBytes is when inputs of peers are no longer taken in; they send them
// again. The windows of the peers keep below this up to about 60 of them.
const intakeBytes = 256 << 20

func newIntake() *intake { return &intake{kick: make(chan struct{}, 1)} }

// full reports whether peers have to wait.
func (q *intake) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes > intakeBytes
}

// push adds inputs. It does not block.
func (q *intake) push(control bool, es ...entry) {
	q.mu.Lock()
	if control {
		q.control = append(q.control, es...)
	} else {
		q.bulk = append(q.bulk, es...)
	}
	for _, e := range es {
		q.bytes += len(e.raw)
	}
	q.mu.Unlock()
	q.wake()
}

// host adds an input of the host itself.
func (q *intake) host(control bool, in *sched.Input) {
	q.push(control, entry{in, encodeInput(in)})
}

// wake lets take return even with nothing.
func (q *intake) wake() {
	select {
	case q.kick <- struct{}{}:
	default:
	}
}

// take waits for a kick and returns what fits a record; it may be nothing.
func (q *intake) take(ctx context.Context) ([]entry, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-q.kick:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []entry
	size := 0
	for _, line := range []*[]entry{&q.control, &q.bulk} {
		n := 0
		for n < len(*line) && size < maxRecordBytes {
			size += len((*line)[n].raw)
			n++
		}
		out = append(out, (*line)[:n]...)
		clear((*line)[:n])
		if *line = (*line)[n:]; len(*line) == 0 {
			*line = nil
		}
	}
	q.bytes -= size
	if len(q.control)+len(q.bulk) > 0 {
		q.wake()
	}
	return out, nil
}

// remote is what the host knows of a live session.
type remote struct {
	name   string
	client bool
	next   uint64 // number of the input that comes next
	out    *outbox

	heard time.Time // monotonic
	lost  bool      // given up; the verdict is on its way through the log
}

// onInput takes a frame with inputs. The bus calls it for one frame at a
// time.
func (s *Scheduler) onInput(subject string, data []byte) {
	session := last(subject)
	f, rest, err := readUp(data)
	if err != nil {
		s.reject(session, err.Error())
		return
	}
	r := s.meet(session, f, rest)
	if r == nil || s.queue.full() {
		return
	}
	var es []entry
	first := accept(r.next-1, f.First, f.Count)
	if first > 0 {
		r.out.again() // it repeats itself: the acknowledgement was lost
	}
	for i := 0; i < f.Count && first < f.Count; i++ {
		var in *sched.Input
		var raw []byte
		if i < first {
			raw, err = skip(rest)
		} else if in, raw, err = nextInput(rest); err == nil {
			err = allowed(session, in)
		}
		if err != nil {
			s.reject(session, err.Error())
			break
		}
		rest = rest[len(raw):]
		if in != nil {
			in.From = session
			es = append(es, entry{in, raw})
			r.next++
		}
	}
	if len(es) > 0 {
		s.queue.push(r.client, es...)
	}
}

// onBeat takes a frame without inputs.
func (s *Scheduler) onBeat(subject string, data []byte) {
	session := last(subject)
	f, _, err := readUp(data)
	if err != nil {
		s.reject(session, err.Error())
		return
	}
	s.meet(session, f, nil)
}

// readUp reads the header of a frame and returns what follows it.
func readUp(data []byte) (f *upFrame, rest []byte, err error) {
	f = &upFrame{}
	raw, err := next(data, f)
	if err == nil && f.Version != wireVersion {
		err = fmt.Errorf("this cluster speaks version %d of the protocol, not %d", wireVersion, f.Version)
	}
	return f, data[len(raw):], err
}

// meet notes that a session was heard, and makes its record when this is its
// beginning. It returns nil for a session that is over, or not begun.
func (s *Scheduler) meet(session string, f *upFrame, rest []byte) *remote {
	s.mu.Lock()
	r := s.remotes[session]
	dead := s.dead.has(session)
	switch {
	case r != nil:
		r.heard = time.Now()
	case dead || f.Acked > 0:
		s.mu.Unlock()
		s.reject(session, "the session is over")
		return nil
	case f.First == 1 && f.Count > 0 && !s.closing:
		in, _, err := nextInput(rest)
		if err == nil && (in.Join != nil || in.Hello != nil) {
			r = s.addRemote(session, in.Hello != nil, 1)
		}
	}
	s.mu.Unlock()
	if r != nil {
		r.out.ack(f.Epoch, f.Got)
	}
	return r
}

// addRemote makes the record of a session; s.mu is held.
func (s *Scheduler) addRemote(session string, client bool, next uint64) *remote {
	r := &remote{name: session, client: client, next: next, heard: time.Now(), out: newOutbox(s, session)}
	s.remotes[session] = r
	s.group.Go(func() { r.out.run(s.ctx) })
	return r
}

// allowed refuses inputs that only the host may make.
func allowed(session string, in *sched.Input) error {
	switch {
	case in.Epoch != nil, in.Restore != nil, in.Listed != nil, in.Lost != nil && in.Lost.Session != session:
		return fault.New("decode", "", fault.Permission, errors.New("an input that only the scheduler makes"))
	}
	return nil
}

// reject ends a session from here.
func (s *Scheduler) reject(session, reason string) {
	s.opts.Log.Debug("reset", "session", session, "reason", reason)
	f := downFrame{Version: wireVersion, Epoch: s.epoch, Reset: true, Reason: reason}
	if err := s.bus.Publish(s.names.out(session), frame(&f, nil)); err != nil {
		s.opts.Log.Debug("publish", "session", session, "err", err) // it asks again
	}
}

// recently remembers the last names it was given.
type recently struct {
	names map[string]bool
	order []string
}

// deadSessions is how many ended sessions are remembered, so that a frame
// that was under way does not begin one again.
const deadSessions = 4096

func (r *recently) add(name string) {
	if r.names == nil {
		r.names = map[string]bool{}
	}
	if r.names[name] {
		return
	}
	r.names[name] = true
	r.order = append(r.order, name)
	if len(r.order) > deadSessions {
		delete(r.names, r.order[0])
		r.order = r.order[1:]
	}
}

func (r *recently) has(name string) bool { return r.names[name] }
