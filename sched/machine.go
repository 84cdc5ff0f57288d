package sched

import (
	"slices"

	"github.com/leat-dev/leat/fault"
)

// A Machine is the scheduler. It belongs to one goroutine.
type Machine struct {
	opts     Options
	now      int64
	sessions map[string]*session
	workers  []*worker // in the order they joined
	jobs     []*job    // in the order they came
	turn     int       // which job is served first

	lastLease, lastMerge uint64
	fx                   []Effect
}

// session is what the machine knows of one peer.
type session struct {
	num    uint64 // of the last input taken
	worker *worker
}

type worker struct {
	session string
	join    Join
	lost    bool
}

// NewMachine returns a scheduler that knows nobody. A nil opts means the
// defaults.
func NewMachine(opts *Options) *Machine {
	return &Machine{opts: opts.withDefaults(), sessions: map[string]*session{}}
}

// LastNum returns the number of the last input of a session that was taken,
// or 0. It is what the host may acknowledge.
func (m *Machine) LastNum(name string) uint64 {
	if s := m.sessions[name]; s != nil {
		return s.num
	}
	return 0
}

// Known reports whether a session is alive.
func (m *Machine) Known(name string) bool { return m.sessions[name] != nil }

// Sessions returns the names of all live sessions.
func (m *Machine) Sessions() []string {
	names := make([]string, 0, len(m.sessions))
	for name := range m.sessions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Step takes one input and returns what has to be done about it, in order.
// The slice is valid until the next call. Inputs that are late, repeated or
// about things long gone change nothing.
func (m *Machine) Step(in Input) []Effect {
	m.fx = m.fx[:0]
	m.now = max(m.now, in.At)
	if in.From != "" && !m.admit(in) {
		return m.fx
	}
	switch {
	case in.Epoch != nil:
		m.resend()
	case in.Restore != nil:
		m.restore(in.Restore)
	case in.Join != nil:
		m.join(in.From, in.Join)
	case in.Lost != nil:
		m.sessionLost(in.Lost)
	case in.Submit != nil:
		m.submit(in.From, in.Submit)
	case in.Listed != nil:
		m.withJob(in.Listed.Job, func(j *job) { m.listed(j, in.Listed, in.Ref) })
	case in.Done != nil:
		m.done(in.From, in.Done, in.Ref)
	case in.Merged != nil:
		m.merged(in.From, in.Merged, in.Ref)
	case in.Ack != nil:
		m.withJob(in.Ack.Job, func(j *job) { m.ack(j, in.Ack.Upto) })
	case in.Cancel != nil:
		m.withJob(in.Cancel.Job, func(j *job) { m.end(j, true, nil) })
	case in.FetchFailed != nil:
		m.withJob(in.FetchFailed.Job, func(j *job) { m.fetchFailed(j, in.FetchFailed) })
	case in.Forget != nil:
		m.withJob(in.Forget.Job, m.forget)
	}
	m.pump()
	return m.fx
}

// admit checks the session and number of an input. Only a Join or a Hello
// with number 1 begins a session.
func (m *Machine) admit(in Input) bool {
	s := m.sessions[in.From]
	if s == nil {
		if in.Num != 1 || in.Join == nil && in.Hello == nil {
			m.emit(Effect{To: in.From, Reset: &Reset{}})
			return false
		}
		s = &session{}
		m.sessions[in.From] = s
	}
	if in.Num != s.num+1 {
		return false
	}
	s.num = in.Num
	return true
}

func (m *Machine) emit(e Effect) { m.fx = append(m.fx, e) }

func (m *Machine) withJob(name string, f func(*job)) {
	if j := m.find(name); j != nil {
		f(j)
	}
}

func (m *Machine) find(name string) *job {
	for _, j := range m.jobs {
		if j.sub.Job == name {
			return j
		}
	}
	return nil
}

func (m *Machine) join(name string, in *Join) {
	s := m.sessions[name]
	if s == nil || s.worker != nil {
		return
	}
	w := &worker{session: name, join: *in}
	w.join.Slots = max(1, w.join.Slots)
	w.join.Width = max(w.join.Slots, w.join.Width)
	s.worker = w
	m.workers = append(m.workers, w)
}

// sessionLost ends a session: a worker's leases and partials go back, a
// client's jobs end.
func (m *Machine) sessionLost(in *Lost) {
	s := m.sessions[in.Session]
	if s == nil {
		return
	}
	delete(m.sessions, in.Session)
	m.emit(Effect{To: in.Session, Reset: &Reset{}})
	if w := s.worker; w != nil {
		w.lost = true
		m.workers = slices.DeleteFunc(m.workers, func(o *worker) bool { return o == w })
		for _, j := range m.jobs {
			m.workerLost(j, w, in.Left)
		}
	}
	for _, j := range slices.Clone(m.jobs) {
		if j.client == in.Session {
			m.forget(j)
		}
	}
}

// workerLost takes back all that w had of j.
func (m *Machine) workerLost(j *job, w *worker, left bool) {
	sh := j.shares[w]
	if sh == nil {
		return
	}
	n := Notice{Job: j.sub.Job, Worker: w.join.Name, Left: left}
	for _, l := range slices.Clone(j.leases) {
		if l.worker == w {
			n.Running += l.remaining.Len()
			m.returnLease(j, l, !left)
		}
	}
	n.Folded = m.partialsLost(j, w)
	delete(j.shares, w)
	if j.ended == nil && !j.ending {
		m.emit(Effect{To: j.client, Notice: &n})
	}
}

// resend repeats, for a new leader, everything that is not known to have
// arrived.
func (m *Machine) resend() {
	live := make([]string, 0, len(m.jobs))
	for _, j := range m.jobs {
		live = append(live, j.sub.Job)
	}
	for _, w := range m.workers {
		m.emit(Effect{To: w.session, Jobs: &Jobs{Live: live}})
	}
	for _, j := range m.jobs {
		for _, sh := range j.shares {
			sh.specSent = false
		}
		for _, l := range j.leases {
			if l.revoked {
				m.emit(Effect{To: l.worker.session, Revoke: &Revoke{Job: j.sub.Job, Lease: l.id}})
			} else {
				m.sendLease(j, l)
			}
		}
		for _, mg := range j.merges {
			m.sendMerge(j, mg)
		}
		for _, d := range j.deliveries {
			m.sendDelivery(j, d)
		}
		if !j.eof && !j.ending {
			j.upto = 0 // asked again by the pump
		}
		m.sendDone(j)
	}
}

// Progress is how far a job is.
type Progress struct {
	Job     string `cbor:"1,keyasint"`
	Listed  uint64 `cbor:"2,keyasint"`
	EOF     bool   `cbor:"3,keyasint,omitempty"`
	OK      uint64 `cbor:"4,keyasint"`
	Failed  uint64 `cbor:"5,keyasint"`
	Leased  uint64 `cbor:"6,keyasint"`
	Redone  uint64 `cbor:"7,keyasint,omitempty"`
	Workers int    `cbor:"8,keyasint"`
}

// Progress returns how far a job is; false when there is no such job. Its
// cost is that of the leases of the job.
func (m *Machine) Progress(name string) (Progress, bool) {
	j := m.find(name)
	if j == nil {
		return Progress{}, false
	}
	p := Progress{Job: name, Listed: j.listed, EOF: j.eof, OK: j.ok, Failed: j.failed, Redone: j.redone}
	for _, l := range j.leases {
		p.Leased += l.remaining.Len()
	}
	for _, w := range m.workers {
		if j.suits(w) {
			p.Workers++
		}
	}
	return p, true
}

// Jobs returns the names of all jobs with the sessions of their clients.
func (m *Machine) Jobs() map[string]string {
	out := make(map[string]string, len(m.jobs))
	for _, j := range m.jobs {
		out[j.sub.Job] = j.client
	}
	return out
}

// Workers returns what the workers said when they joined, in that order.
func (m *Machine) Workers() []Join {
	out := make([]Join, len(m.workers))
	for i, w := range m.workers {
		out[i] = w.join
	}
	return out
}

func problem(kind fault.Kind, text string) *Problem { return &Problem{Kind: kind, Text: text} }
