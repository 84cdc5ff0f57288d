package sched

import (
	"fmt"
	"slices"
	"sort"

	"github.com/leat-dev/leat/fault"
)

// job is a template, its listing, and where each input is.
type job struct {
	sub    Submit
	client string

	// The listing: inputs below next were leased at least once, those from
	// next to listed never.
	listed, next uint64
	eof          bool
	upto         uint64 // how far the listing may go
	segments     []Segment

	redo   []redo // inputs that came back, first in first out
	leases []*lease
	tries  map[uint64]int // failed tries of the units that failed
	shares map[*worker]*share

	partials []*partial
	merges   []*merge

	ok, failed, redone, retried uint64
	recomputes                  int

	deliveries []*delivery // sent and not acknowledged
	lastNum    uint64      // of the last delivery
	unacked    uint64      // inputs in deliveries

	ending bool     // canceled or failed: only waits for its leases
	ended  *JobDone // how it ended; kept until the client knows
}

// share is what one worker has to do with one job.
type share struct {
	specSent bool
	leased   uint64 // inputs in its leases
	cost     int64  // nanoseconds an input, smoothed; 0 = not known
	last     int64  // time of its last report
}

// redo is a set of inputs to hand out again. level makes leases smaller with
// every loss, so that an input that kills workers ends up alone.
type redo struct {
	set   Set
	level int
	alone int // workers lost while the set was all they had on the lease
}

type lease struct {
	id        uint64
	worker    *worker
	remaining Set
	level     int
	alone     int
	at        int64
	revoked   bool
}

type delivery struct {
	num      uint64
	ref      Ref
	accepted Set
	worker   *worker
	stored   []Item    // those that the worker keeps for the client
	given    []Failure // inputs that the machine gave up
}

// suits reports whether w can run the job.
func (j *job) suits(w *worker) bool {
	if j.sub.Func == "" {
		return w.join.Exec
	}
	return slices.Contains(w.join.Funcs, j.sub.Func)
}

// batch is the number of inputs that one process gets.
func (j *job) batch() uint64 { return uint64(max(1, j.sub.Batch)) }

// waiting counts the inputs that can be leased.
func (j *job) waiting() uint64 {
	n := j.listed - j.next
	for _, r := range j.redo {
		n += r.set.Len()
	}
	return n
}

func (m *Machine) submit(from string, s *Submit) {
	if m.find(s.Job) != nil {
		return
	}
	m.jobs = append(m.jobs, &job{
		sub: *s, client: from,
		tries: map[uint64]int{}, shares: map[*worker]*share{},
	})
}

func (m *Machine) listed(j *job, l *Listed, ref Ref) {
	if j.eof || j.ending || j.ended != nil {
		return
	}
	if l.Count > 0 {
		r := Range{j.listed, uint64(l.Count)}
		j.segments = append(j.segments, Segment{Range: r, Ref: ref})
		j.listed = r.End()
	}
	if l.Err != nil {
		m.end(j, false, l.Err)
		return
	}
	j.eof = l.EOF
	m.check(j)
}

// done takes a report about a lease. What the lease does not hold any more
// is refused.
func (m *Machine) done(from string, d *Done, ref Ref) {
	j := m.find(d.Job)
	var l *lease
	if j != nil {
		l = j.lease(d.Lease)
	}
	if l == nil || l.worker.session != from {
		m.refuse(from, d)
		return
	}
	var accepted Set
	switch {
	case d.FoldErr != nil:
		m.end(j, false, d.FoldErr)
	case j.ending:
		m.refuse(from, d)
	case j.sub.Reduce:
		m.takePartial(j, l, d)
	default:
		for _, it := range d.Items {
			if take(l, it.Range) {
				j.ok += it.Range.N
				accepted.Add(it.Range)
			}
		}
	}
	dl := &delivery{ref: ref, accepted: accepted, worker: l.worker}
	for _, it := range d.Items {
		if it.Key != "" && accepted.Contains(it.Range) {
			dl.stored = append(dl.stored, it)
		}
	}
	m.takeFailures(j, l, d, dl)
	m.measure(j, l)
	if d.Final {
		m.dropLease(j, l)
		if left := l.remaining.Len(); left > 0 && !l.revoked && !j.ending {
			m.returned(j, redo{set: l.remaining, level: l.level + 1, alone: l.alone}, l.worker)
		}
	}
	if len(dl.accepted) > 0 {
		m.deliver(j, dl)
	}
	m.limit(j)
	m.check(j)
}

// take moves r out of the lease; false when the lease does not hold it.
func take(l *lease, r Range) bool {
	if r.N == 0 || !l.remaining.Contains(r) {
		return false
	}
	l.remaining.Remove(r)
	return true
}

// refuse lets a worker drop what came with a report that does not count.
func (m *Machine) refuse(to string, d *Done) {
	var keys []string
	for _, it := range d.Items {
		if it.Key != "" {
			keys = append(keys, it.Key)
		}
	}
	if d.Partial != nil {
		keys = append(keys, d.Partial.Key)
	}
	if len(keys) > 0 {
		m.emit(Effect{To: to, Free: &Free{Job: d.Job, Keys: keys}})
	}
}

// takeFailures gives failed inputs another try, or up.
func (m *Machine) takeFailures(j *job, l *lease, d *Done, dl *delivery) {
	if j.ending {
		return
	}
	for _, f := range d.Failed {
		if !take(l, f.Range) {
			continue
		}
		if j.tries[f.Range.From] < j.sub.Retries {
			j.tries[f.Range.From]++
			j.retried += f.Range.N
			j.redo = append(j.redo, redo{set: Set{f.Range}, level: l.level})
			continue
		}
		delete(j.tries, f.Range.From)
		j.failed += f.Range.N
		dl.accepted.Add(f.Range)
	}
}

// measure updates the speed of a worker from what a report took off a lease.
func (m *Machine) measure(j *job, l *lease) {
	sh := j.shares[l.worker]
	if sh == nil {
		return
	}
	var leased uint64
	for _, o := range j.leases {
		if o.worker == l.worker {
			leased += o.remaining.Len()
		}
	}
	n := int64(sh.leased) - int64(leased)
	sh.leased = leased
	took := m.now - max(sh.last, l.at)
	sh.last = m.now
	if n <= 0 || took <= 0 {
		return
	}
	cost := max(1, took/n)
	if sh.cost == 0 {
		sh.cost = cost
	} else {
		sh.cost = (7*sh.cost + 3*cost) / 10
	}
}

func (m *Machine) deliver(j *job, d *delivery) {
	j.lastNum++
	d.num = j.lastNum
	j.unacked += d.accepted.Len()
	j.deliveries = append(j.deliveries, d)
	m.sendDelivery(j, d)
}

func (m *Machine) sendDelivery(j *job, d *delivery) {
	e := &Deliver{
		Job: j.sub.Job, Num: d.num, Ref: d.ref, Accepted: d.accepted.Clone(), Addr: d.worker.join.Addr,
		Failed: slices.Clone(d.given),
	}
	for _, f := range d.given {
		e.Segments = append(e.Segments, j.locate(Set{{f.Range.From, 1}})...)
	}
	m.emit(Effect{To: j.client, Deliver: e})
}

// ack drops what the client has, here and at the workers.
func (m *Machine) ack(j *job, upto uint64) {
	for len(j.deliveries) > 0 && j.deliveries[0].num <= upto {
		d := j.deliveries[0]
		j.deliveries = j.deliveries[1:]
		j.unacked -= d.accepted.Len()
		if len(d.stored) > 0 && !d.worker.lost {
			keys := make([]string, len(d.stored))
			for i, it := range d.stored {
				keys[i] = it.Key
			}
			m.emit(Effect{To: d.worker.session, Free: &Free{Job: j.sub.Job, Keys: keys}})
		}
	}
}

// fetchFailed puts an input back whose result the client could not get.
func (m *Machine) fetchFailed(j *job, f *FetchFailed) {
	if f.Range.N == 0 {
		m.resultLost(j, f.Key)
		return
	}
	for _, d := range j.deliveries {
		i := slices.IndexFunc(d.stored, func(it Item) bool { return it.Key == f.Key && it.Range == f.Range })
		if i < 0 {
			continue
		}
		d.stored = slices.Delete(d.stored, i, i+1)
		d.accepted.Remove(f.Range)
		j.unacked -= f.Range.N
		j.ok -= f.Range.N
		if !d.worker.lost {
			m.emit(Effect{To: d.worker.session, Free: &Free{Job: j.sub.Job, Keys: []string{f.Key}}})
		}
		if !j.ending {
			j.ended = nil // it is not over after all
		}
		m.recompute(j, Set{f.Range})
		if d.worker.lost && !j.ending {
			m.emit(Effect{To: j.client, Notice: &Notice{Job: j.sub.Job, Worker: d.worker.join.Name, Results: f.Range.N}})
		}
		return
	}
}

// recompute hands inputs out again whose results were lost, within a bound.
func (m *Machine) recompute(j *job, set Set) {
	if j.ending {
		return
	}
	j.recomputes++
	if j.recomputes > m.opts.MaxRecomputes {
		m.end(j, false, problem(fault.WorkerLost, fmt.Sprintf("results were lost %d times; given up", j.recomputes-1)))
		return
	}
	j.redone += set.Len()
	j.redo = append(j.redo, redo{set: set.Clone()})
}

// returnLease takes a lease back from a worker that is gone.
func (m *Machine) returnLease(j *job, l *lease, blame bool) {
	m.dropLease(j, l)
	if j.ending || l.remaining.Len() == 0 {
		m.check(j)
		return
	}
	r := redo{set: l.remaining, level: l.level, alone: l.alone}
	if blame {
		r.level++
		if l.remaining.Len() <= j.batch() {
			r.alone++
		}
	}
	m.returned(j, r, l.worker)
}

// returned queues inputs of a lease that ended without them, or gives them
// up when they alone took too many workers along.
func (m *Machine) returned(j *job, r redo, last *worker) {
	const maxLevel = 64 // leases given back unread so often: no worker does them
	if r.alone < m.opts.AloneDeaths && r.level < maxLevel {
		j.redone += r.set.Len()
		j.redo = append(j.redo, r)
		return
	}
	text := fmt.Sprintf("given up: %d workers were lost while they ran it", r.alone)
	if r.alone < m.opts.AloneDeaths {
		text = fmt.Sprintf("given up: handed out %d times and never done", r.level)
	}
	d := &delivery{accepted: r.set, worker: last}
	for _, g := range r.set {
		d.given = append(d.given, Failure{Range: g, Problem: Problem{Kind: fault.WorkerLost, Text: text}})
	}
	j.failed += r.set.Len()
	m.deliver(j, d)
	m.limit(j)
	m.check(j)
}

// limit ends a job that has too many errors.
func (m *Machine) limit(j *job) {
	if j.sub.MaxErrors >= 0 && j.failed > uint64(j.sub.MaxErrors) && !j.ending {
		m.end(j, false, problem(fault.UserError, fmt.Sprintf("gave up: more than %d inputs failed", j.sub.MaxErrors)))
	}
}

// end begins the end of a job: nothing new is listed or leased, and what
// runs is taken back. Merges that run are left to end by themselves.
func (m *Machine) end(j *job, canceled bool, err *Problem) {
	if j.ending || j.ended != nil {
		return
	}
	j.ending = true
	j.redo, j.next = nil, j.listed
	if !j.eof {
		m.emit(Effect{Expand: &Expand{Job: j.sub.Job, Stop: true}})
	}
	for _, l := range j.leases {
		l.revoked = true
		m.emit(Effect{To: l.worker.session, Revoke: &Revoke{Job: j.sub.Job, Lease: l.id}})
	}
	j.eof = true
	j.merges = nil
	j.cause(canceled, err)
	m.check(j)
}

// cause keeps why the job ends until check makes it known.
func (j *job) cause(canceled bool, err *Problem) {
	j.sub.Spec = nil // no worker needs it again
	j.ended = &JobDone{Canceled: canceled, Err: err}
}

// check ends a job that has nothing left to do.
func (m *Machine) check(j *job) {
	if !j.eof || j.next < j.listed || len(j.redo) > 0 || len(j.leases) > 0 {
		return
	}
	switch {
	case j.ending:
		if j.ended.Job != "" {
			return // made known already
		}
	case j.ended != nil:
		return
	case j.sub.Reduce && !m.reduced(j):
		return
	}
	if j.ended == nil {
		j.ended = &JobDone{}
	}
	d := j.ended
	d.Job, d.Listed, d.OK, d.Failed = j.sub.Job, j.listed, j.ok, j.failed
	d.Redone, d.Retried, d.Deliveries = j.redone, j.retried, j.lastNum
	m.sendDone(j)
}

// sendDone tells the client how the job ended, if it has.
func (m *Machine) sendDone(j *job) {
	if j.ended != nil && j.ended.Job != "" {
		d := *j.ended
		m.emit(Effect{To: j.client, JobDone: &d})
	}
}

// forget removes a job, wherever it stands.
func (m *Machine) forget(j *job) {
	if !j.eof {
		m.emit(Effect{Expand: &Expand{Job: j.sub.Job, Stop: true}})
	}
	for _, w := range m.workers {
		if j.shares[w] != nil {
			m.emit(Effect{To: w.session, JobEnd: &JobEnd{Job: j.sub.Job}})
		}
	}
	m.jobs = slices.DeleteFunc(m.jobs, func(o *job) bool { return o == j })
	if len(m.jobs) == 0 {
		m.turn = 0 // nothing of the jobs is left: a snapshot stands for the log
		m.emit(Effect{Compact: &Compact{}})
	}
}

// lease finds a live lease by its number; they are in ascending order.
func (j *job) lease(id uint64) *lease {
	i := sort.Search(len(j.leases), func(i int) bool { return j.leases[i].id >= id })
	if i < len(j.leases) && j.leases[i].id == id {
		return j.leases[i]
	}
	return nil
}

func (m *Machine) dropLease(j *job, l *lease) {
	j.leases = slices.DeleteFunc(j.leases, func(o *lease) bool { return o == l })
	if sh := j.shares[l.worker]; sh != nil {
		sh.leased -= min(sh.leased, l.remaining.Len())
	}
}
