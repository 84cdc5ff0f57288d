package cluster

import (
	"context"
	"fmt"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/sched"
)

// recordsAhead is how many records may be in the log and not yet applied.
const recordsAhead = 2

// compactBytes is how much log is worth a compaction.
const compactBytes = 4 << 20

// appender turns the queue into records. While one is being written the next
// one gathers.
func (s *Scheduler) appender() {
	ahead := make(chan struct{}, recordsAhead)
	for {
		es, err := s.queue.take(s.ctx)
		if err != nil {
			return
		}
		base, err := s.restorePoint()
		if err != nil {
			s.fail(err)
			return
		}
		if base != nil {
			es = append([]entry{*base}, es...)
		}
		if len(es) == 0 {
			continue
		}
		if err := s.appendRecord(s.ctx, es); err != nil {
			s.fail(err)
			return
		}
		if base != nil {
			s.purge(s.lastSeq)
		}
		ins := make([]*sched.Input, len(es))
		for i := range es {
			ins[i] = es[i].in
		}
		select {
		case ahead <- struct{}{}:
		case <-s.ctx.Done():
			return
		}
		s.loop.Post(loop.IO, func() {
			s.apply(ins)
			<-ahead
		})
	}
}

// appendRecord makes the entries the next record of the log.
func (s *Scheduler) appendRecord(ctx context.Context, es []entry) error {
	r := record{Version: wireVersion, Epoch: s.epoch, At: s.now()}
	for i, e := range es {
		e.in.At, e.in.Ref = r.At, sched.Ref{Seq: s.lastSeq + 1, Pos: uint32(i)}
	}
	data := r.encode(es)
	if err := s.store.log.Append(ctx, s.lastSeq, data); err != nil {
		return err
	}
	s.lastSeq++
	s.logged += int64(len(data))
	ins := make([]*sched.Input, len(es))
	for i := range es {
		ins[i] = es[i].in
	}
	s.cache.add(s.lastSeq, ins, len(data))
	return nil
}

// restorePoint returns the input that stands for the whole log, when the
// machine has no job and the log has grown enough.
func (s *Scheduler) restorePoint() (*entry, error) {
	if !s.compact.Load() || s.logged < s.opts.compactBytes {
		return nil, nil
	}
	var in *sched.Input
	err := s.loop.Call(s.ctx, loop.IO, func() { // behind all records so far
		s.compact.Store(false)
		if r, ok := s.machine.Snapshot(); ok {
			in = &sched.Input{Restore: r}
		}
	})
	if err != nil || in == nil {
		return nil, err
	}
	return &entry{in, encodeInput(in)}, nil
}

// purge drops what lies before record seq.
func (s *Scheduler) purge(seq uint64) {
	s.logged = 0
	if err := s.store.log.Purge(s.ctx, seq); err != nil {
		s.opts.Log.Warn("purge log", "err", err) // the next one takes this along
	}
}

// apply steps the machine through a record that is safe. It runs on the
// loop, or before the loop does.
func (s *Scheduler) apply(ins []*sched.Input) {
	heard := map[string]bool{}
	for _, in := range ins {
		if in.From != "" {
			heard[in.From] = true
		}
		for _, e := range s.machine.Step(*in) {
			s.carryOut(e)
		}
		s.follow(in)
	}
	for name := range heard {
		if r := s.remote(name); r != nil {
			r.out.logged(s.machine.LastNum(name))
		}
	}
}

func (s *Scheduler) remote(session string) *remote {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remotes[session]
}

// carryOut does what the machine decided.
func (s *Scheduler) carryOut(e sched.Effect) {
	switch {
	case e.Expand != nil:
		s.expand(e.Expand)
	case e.Compact != nil:
		s.compact.Store(true)
		s.queue.wake() // the appender may find that now is the time
	case e.Reset != nil:
		s.forgetRemote(e.To)
		s.reject(e.To, "the session is over")
	default:
		if r := s.remote(e.To); r != nil {
			r.out.push(e)
		}
	}
}

// follow keeps what the host knows beside the machine.
func (s *Scheduler) follow(in *sched.Input) {
	s.noteSessions(in)
	switch {
	case in.Join != nil:
		s.opts.Log.Debug("worker joined", "worker", in.Join.Name, "addr", in.Join.Addr)
		s.showSoon()
	case in.Lost != nil:
		s.forgetRemote(in.Lost.Session)
		s.showSoon()
	case in.Listed != nil:
		if x := s.expanders[in.Listed.Job]; x != nil {
			x.applied()
			if in.Listed.EOF || in.Listed.Err != nil {
				x.cancel()
				delete(s.expanders, in.Listed.Job)
			}
		}
	}
}

// forgetRemote ends the connection of a session.
func (s *Scheduler) forgetRemote(session string) {
	s.mu.Lock()
	r := s.remotes[session]
	delete(s.remotes, session)
	s.dead.add(session)
	s.mu.Unlock()
	if r != nil {
		r.out.close()
	}
}

// onBeacon steps down when somebody leads with a later epoch.
func (s *Scheduler) onBeacon(_ string, data []byte) {
	var b beacon
	if err := unmarshal(data, &b); err == nil && b.Epoch > s.epoch {
		s.fail(fault.New("schedule", "", fault.Refused,
			fmt.Errorf("%s leads with epoch %d: this one, of epoch %d, steps down", b.Name, b.Epoch, s.epoch)))
	}
}
