package sched

import (
	"slices"

	"github.com/leat-dev/leat/fault"
)

// partial is a fold that a worker holds, with the inputs inside it.
type partial struct {
	Partial
	worker   *worker
	manifest Set
	busy     bool // source of a merge that runs
}

// merge is an order to fold partials into one at a worker.
type merge struct {
	id      uint64
	worker  *worker
	sources []*partial
	final   bool
}

// takePartial takes the fold of a lease: all of it or nothing, since it
// cannot be taken apart.
func (m *Machine) takePartial(j *job, l *lease, d *Done) {
	var manifest Set
	fits := true
	for _, it := range d.Items {
		fits = fits && it.Range.N > 0 && l.remaining.Contains(it.Range) && !manifest.Overlaps(it.Range)
		manifest.Add(it.Range)
	}
	if len(manifest) == 0 || !fits || d.Partial == nil || !d.Final {
		m.refuse(l.worker.session, d)
		return
	}
	for _, r := range manifest {
		l.remaining.Remove(r)
	}
	j.ok += manifest.Len()
	j.partials = append(j.partials, &partial{Partial: *d.Partial, worker: l.worker, manifest: manifest})
}

// mergeAhead lets workers fold partials that have piled up, while others
// still map.
func (m *Machine) mergeAhead(j *job) {
	if len(j.partials) < m.opts.MergeAt {
		return
	}
	for _, w := range m.workers {
		if ps := j.idleAt(w); len(ps) >= m.opts.MergeAt && !j.merging(w) {
			m.startMerge(j, w, ps, false)
		}
	}
}

// reduced moves the reduce of a job on whose inputs are all accounted for,
// and reports whether it is complete.
func (m *Machine) reduced(j *job) bool {
	if len(j.partials) == 0 && len(j.merges) == 0 {
		return true // nothing succeeded, so there is nothing to fold
	}
	var single []*partial // the only partial of a worker with no merge
	for _, w := range m.workers {
		ps := j.idleAt(w)
		switch {
		case len(ps) == 0 || j.merging(w):
		case len(ps) > 1:
			m.startMerge(j, w, ps, false)
		default:
			single = append(single, ps[0])
		}
	}
	for i := 0; i+1 < len(single); i += 2 {
		into, from := single[i], single[i+1]
		if from.Size > into.Size { // the smaller one travels
			into, from = from, into
		}
		m.startMerge(j, into.worker, []*partial{into, from}, false)
	}
	if len(j.merges) == 0 && len(j.partials) == 1 {
		m.startMerge(j, j.partials[0].worker, j.partials, true)
	}
	return false
}

// idleAt returns the partials that w holds and no merge uses, in the order
// they came.
func (j *job) idleAt(w *worker) []*partial {
	var out []*partial
	for _, p := range j.partials {
		if p.worker == w && !p.busy {
			out = append(out, p)
		}
	}
	return out
}

func (j *job) merging(w *worker) bool {
	return slices.ContainsFunc(j.merges, func(mg *merge) bool { return mg.worker == w })
}

func (m *Machine) startMerge(j *job, w *worker, sources []*partial, final bool) {
	m.lastMerge++
	mg := &merge{id: m.lastMerge, worker: w, sources: slices.Clone(sources), final: final}
	for _, p := range mg.sources {
		p.busy = true
	}
	j.merges = append(j.merges, mg)
	m.sendMerge(j, mg)
}

func (m *Machine) sendMerge(j *job, mg *merge) {
	e := &Merge{Job: j.sub.Job, ID: mg.id, Final: mg.final}
	for _, p := range mg.sources {
		s := Source{Key: p.Key, Size: p.Size}
		if p.worker != mg.worker {
			s.Addr = p.worker.join.Addr
		}
		e.Sources = append(e.Sources, s)
	}
	e.First, e.Spec = m.introduce(j, mg.worker)
	m.emit(Effect{To: mg.worker.session, Merge: e})
}

// merged takes the outcome of a merge.
func (m *Machine) merged(from string, in *Merged, ref Ref) {
	j := m.find(in.Job)
	if j == nil {
		return
	}
	i := slices.IndexFunc(j.merges, func(mg *merge) bool { return mg.id == in.Merge && mg.worker.session == from })
	if i < 0 {
		if in.Partial != nil && in.Partial.Key != "" {
			m.emit(Effect{To: from, Free: &Free{Job: in.Job, Keys: []string{in.Partial.Key}}})
		}
		return
	}
	mg := j.merges[i]
	j.merges = slices.Delete(j.merges, i, i+1)
	switch {
	case in.Err != nil:
		m.end(j, false, in.Err)
	case len(in.Missing) > 0:
		m.unmerge(j, mg, in.Missing)
	case in.Partial == nil:
		m.end(j, false, problem(fault.Internal, "a merge had no outcome"))
	case mg.final:
		mg.sources[0].busy = false
		j.ended = &JobDone{
			Reduced: true, Ref: ref, Key: in.Partial.Key, Size: in.Partial.Size, Addr: mg.worker.join.Addr,
		}
		m.finish(j)
		return
	default:
		m.replace(j, mg, *in.Partial)
	}
	m.check(j)
}

// finish makes the result of a reduce known.
func (m *Machine) finish(j *job) {
	d := j.ended
	d.Job, d.Listed, d.OK, d.Failed = j.sub.Job, j.listed, j.ok, j.failed
	d.Redone, d.Retried, d.Deliveries = j.redone, j.retried, j.lastNum
	m.sendDone(j)
}

// replace puts the outcome of a merge in the place of its sources.
func (m *Machine) replace(j *job, mg *merge, p Partial) {
	out := &partial{Partial: p, worker: mg.worker}
	for _, s := range mg.sources {
		out.manifest.AddSet(s.manifest)
		m.dropPartial(j, s)
	}
	j.partials = append(j.partials, out)
}

// unmerge undoes a merge that did not come about: sources that are gone put
// their inputs back, the others wait for another merge.
func (m *Machine) unmerge(j *job, mg *merge, missing []string) {
	for _, s := range mg.sources {
		s.busy = false
		if !s.worker.lost && !slices.Contains(missing, s.Key) {
			continue
		}
		if !s.worker.lost && !j.ending {
			m.emit(Effect{To: j.client, Notice: &Notice{Job: j.sub.Job, Worker: s.worker.join.Name, Folded: s.manifest.Len()}})
		}
		m.losePartial(j, s)
	}
}

// losePartial puts the inputs of a partial back that nobody has any more.
func (m *Machine) losePartial(j *job, p *partial) {
	m.dropPartial(j, p)
	j.ok -= p.manifest.Len()
	m.recompute(j, p.manifest)
}

func (m *Machine) dropPartial(j *job, p *partial) {
	j.partials = slices.DeleteFunc(j.partials, func(o *partial) bool { return o == p })
	if !p.worker.lost {
		m.emit(Effect{To: p.worker.session, Free: &Free{Job: j.sub.Job, Keys: []string{p.Key}}})
	}
}

// partialsLost takes back what a lost worker had folded and returns how many
// inputs that were. A source of a merge that runs elsewhere is left alone:
// the merge may have read it already, its outcome decides.
func (m *Machine) partialsLost(j *job, w *worker) uint64 {
	if j.ended != nil {
		return 0 // the client says so if it could not fetch the result
	}
	before := j.ok
	for _, mg := range slices.Clone(j.merges) {
		if mg.worker == w {
			j.merges = slices.DeleteFunc(j.merges, func(o *merge) bool { return o == mg })
			m.unmerge(j, mg, nil)
		}
	}
	for _, p := range slices.Clone(j.partials) {
		if p.worker == w && !p.busy {
			m.losePartial(j, p)
		}
	}
	m.check(j)
	return before - j.ok
}

// resultLost computes the result of a reduce again that the client could not
// fetch: from the last partial if its worker lives, else from the inputs.
func (m *Machine) resultLost(j *job, key string) {
	if j.ended == nil || j.ending || j.ended.Key != key || !j.ended.Reduced {
		return
	}
	j.ended = nil
	j.recomputes++
	if j.recomputes > m.opts.MaxRecomputes {
		m.end(j, false, problem(fault.WorkerLost, "the result was lost too often"))
		return
	}
	for _, p := range slices.Clone(j.partials) {
		if p.worker.lost {
			m.emit(Effect{To: j.client, Notice: &Notice{Job: j.sub.Job, Worker: p.worker.join.Name, Folded: p.manifest.Len()}})
			m.losePartial(j, p)
		}
	}
	m.check(j)
}
