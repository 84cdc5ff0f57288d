package cluster

import (
	"time"

	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/sched"
)

// detector gives sessions up that are silent for too long. The verdict goes
// through the log like any other input.
func (s *Scheduler) detector() {
	every := max(s.opts.DeadAfter/10, time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	before := time.Now()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		if now.Sub(before) > s.opts.DeadAfter/2 {
			s.forgive(now) // it was this process that stood still
		}
		before = now
		for _, in := range s.silent(now) {
			s.opts.Log.Warn("session is silent and given up", "session", in.Lost.Session)
			s.queue.host(true, in)
		}
	}
}

// silent returns the verdicts that are due.
func (s *Scheduler) silent(now time.Time) []*sched.Input {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*sched.Input
	for _, r := range s.remotes {
		limit := s.opts.DeadAfter
		if r.client {
			limit = s.opts.ClientDeadAfter
		}
		if !r.lost && now.Sub(r.heard) > limit {
			r.lost = true
			out = append(out, &sched.Input{Lost: &sched.Lost{Session: r.name}})
		}
	}
	return out
}

// forgive starts the clocks of all sessions anew.
func (s *Scheduler) forgive(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.remotes {
		r.heard = now
	}
}

// beacons says who leads.
func (s *Scheduler) beacons() {
	tick := time.NewTicker(s.opts.timing.leaderBeat)
	defer tick.Stop()
	data := marshal(&beacon{Version: wireVersion, Epoch: s.epoch, Name: s.opts.Name})
	for {
		if err := s.bus.Publish(s.names.leader(), data); err != nil {
			s.opts.Log.Debug("publish beacon", "err", err)
		}
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// showSoon lets showWorkers look again.
func (s *Scheduler) showSoon() {
	select {
	case s.show <- struct{}{}:
	default:
	}
}

// showWorkers keeps the registry up to date, behind what happens.
func (s *Scheduler) showWorkers() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.show:
		}
		var ws []sched.Join
		if s.loop.Call(s.ctx, loop.Idle, func() { ws = s.machine.Workers() }) != nil {
			return
		}
		if err := s.store.reg.Set(s.ctx, ws); err != nil {
			s.opts.Log.Debug("registry", "err", err) // for display only
		}
	}
}
