package sched

import (
	"maps"
	"slices"
)

// A Worker is the state machine of one worker session: which leases and
// merges it has, which run, what it holds for which job. It belongs to one
// goroutine.
type Worker struct {
	jobs map[string]*workerJob
	fx   []WorkerEffect
}

// workerJob is what a worker knows of one job.
type workerJob struct {
	spec   []byte
	leases map[uint64]*workerLease // live, and those that ended, until JobEnd
	merges map[uint64]bool         // true while it runs
	held   map[string]bool         // keys of results and partials
}

type workerLease struct {
	live    bool // not yet reported final
	revoked bool
}

// A WorkerInput is something that happened to a worker. Exactly one of the
// pointers is set. Done and Merged come from the worker's own runner, the
// rest from the scheduler.
type WorkerInput struct {
	Lease  *Lease
	Revoke *Revoke
	Merge  *Merge
	Free   *Free
	JobEnd *JobEnd
	Jobs   *Jobs
	Reset  *Reset
	Done   *Done
	Merged *Merged
}

// A WorkerEffect is something the host of a worker has to do. Exactly one
// field is set.
type WorkerEffect struct {
	// Run starts a lease on the runner; Spec is filled in.
	Run *Lease
	// RunMerge starts a merge on the runner; Spec is filled in.
	RunMerge *Merge
	// Stop cancels what runs of a lease; the runner still reports a final
	// Done for it.
	Stop *Revoke
	// StopJob cancels all that runs of a job, merges included; what the
	// runner still reports of it is dropped.
	StopJob string
	// Drop forgets values of the store.
	Drop []string
	// Send reports to the scheduler.
	Send *Input
	// Rejoin stops everything, empties the store and begins a new session.
	// The machine is as new afterwards.
	Rejoin bool
}

// NewWorker returns the machine of a worker that has nothing.
func NewWorker() *Worker { return &Worker{jobs: map[string]*workerJob{}} }

// Step takes one input and returns what has to be done, in order. The slice
// is valid until the next call. It does not block.
func (w *Worker) Step(in WorkerInput) []WorkerEffect {
	w.fx = w.fx[:0]
	switch {
	case in.Lease != nil:
		w.lease(in.Lease)
	case in.Revoke != nil:
		w.revoke(in.Revoke)
	case in.Merge != nil:
		w.merge(in.Merge)
	case in.Free != nil:
		w.free(in.Free)
	case in.JobEnd != nil:
		w.jobEnd(in.JobEnd.Job)
	case in.Jobs != nil:
		for _, name := range slices.Sorted(maps.Keys(w.jobs)) {
			if !slices.Contains(in.Jobs.Live, name) {
				w.jobEnd(name)
			}
		}
	case in.Reset != nil:
		w.jobs = map[string]*workerJob{}
		w.emit(WorkerEffect{Rejoin: true})
	case in.Done != nil:
		w.done(in.Done)
	case in.Merged != nil:
		w.merged(in.Merged)
	}
	return w.fx
}

// Idle reports whether nothing runs.
func (w *Worker) Idle() bool {
	for _, j := range w.jobs {
		for _, l := range j.leases {
			if l.live {
				return false
			}
		}
		for _, running := range j.merges {
			if running {
				return false
			}
		}
	}
	return true
}

func (w *Worker) emit(e WorkerEffect) { w.fx = append(w.fx, e) }

// job finds or makes the record of a job, taking its spec when it comes.
func (w *Worker) job(name string, spec []byte) *workerJob {
	j := w.jobs[name]
	if j == nil {
		j = &workerJob{leases: map[uint64]*workerLease{}, merges: map[uint64]bool{}, held: map[string]bool{}}
		w.jobs[name] = j
	}
	if spec != nil {
		j.spec = spec
	}
	return j
}

func (w *Worker) lease(l *Lease) {
	j := w.job(l.Job, l.Spec)
	if j.leases[l.ID] != nil {
		return // sent again after a change of leader
	}
	j.leases[l.ID] = &workerLease{live: true}
	run := *l
	run.Spec = j.spec
	w.emit(WorkerEffect{Run: &run})
}

func (w *Worker) revoke(r *Revoke) {
	j := w.job(r.Job, nil)
	l := j.leases[r.Lease]
	switch {
	case l == nil: // the revocation overtook the lease: answer, and never run it
		j.leases[r.Lease] = &workerLease{revoked: true}
		w.emit(WorkerEffect{Send: &Input{Done: &Done{Job: r.Job, Lease: r.Lease, Final: true}}})
	case l.live && !l.revoked:
		l.revoked = true
		w.emit(WorkerEffect{Stop: r})
	}
}

func (w *Worker) done(d *Done) {
	j := w.jobs[d.Job]
	if j == nil || j.leases[d.Lease] == nil || !j.leases[d.Lease].live {
		w.drop(d)
		return // of a job that ended meanwhile
	}
	l := j.leases[d.Lease]
	l.live = !d.Final
	if l.revoked {
		w.drop(d)
		if d.Final {
			w.emit(WorkerEffect{Send: &Input{Done: &Done{Job: d.Job, Lease: d.Lease, Final: true}}})
		}
		return
	}
	for _, it := range d.Items {
		if it.Key != "" {
			j.held[it.Key] = true
		}
	}
	if d.Partial != nil {
		j.held[d.Partial.Key] = true
	}
	w.emit(WorkerEffect{Send: &Input{Done: d}})
}

// drop forgets what an unwanted report left in the store.
func (w *Worker) drop(d *Done) {
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
		w.emit(WorkerEffect{Drop: keys})
	}
}

func (w *Worker) merge(m *Merge) {
	j := w.job(m.Job, m.Spec)
	if _, seen := j.merges[m.ID]; seen {
		return
	}
	j.merges[m.ID] = true
	run := *m
	run.Spec = j.spec
	w.emit(WorkerEffect{RunMerge: &run})
}

func (w *Worker) merged(m *Merged) {
	j := w.jobs[m.Job]
	if j == nil || !j.merges[m.Merge] {
		if m.Partial != nil {
			w.emit(WorkerEffect{Drop: []string{m.Partial.Key}})
		}
		return
	}
	j.merges[m.Merge] = false
	if m.Partial != nil && m.Partial.Key != "" {
		j.held[m.Partial.Key] = true
	}
	w.emit(WorkerEffect{Send: &Input{Merged: m}})
}

func (w *Worker) free(f *Free) {
	j := w.jobs[f.Job]
	if j == nil {
		return
	}
	for _, k := range f.Keys {
		delete(j.held, k)
	}
	w.emit(WorkerEffect{Drop: f.Keys})
}

func (w *Worker) jobEnd(name string) {
	j := w.jobs[name]
	if j == nil {
		return
	}
	delete(w.jobs, name)
	w.emit(WorkerEffect{StopJob: name})
	if len(j.held) > 0 {
		w.emit(WorkerEffect{Drop: slices.Sorted(maps.Keys(j.held))})
	}
}
