package sched

// pump hands out what can be handed out: leases to workers with room,
// merges, and leave to list further. Jobs take turns at being first.
func (m *Machine) pump() {
	if len(m.jobs) == 0 {
		return
	}
	m.turn++
	for i := range m.jobs {
		j := m.jobs[(m.turn+i)%len(m.jobs)]
		if j.ending || j.ended != nil {
			continue
		}
		m.leaseOut(j)
		m.listAhead(j)
		if j.sub.Reduce {
			m.mergeAhead(j)
		}
	}
}

// leaseOut gives inputs of j to the workers with most room, until no worker
// has enough room or no input is left.
func (m *Machine) leaseOut(j *job) {
	for j.unacked < uint64(m.opts.Window) {
		waiting := j.waiting()
		if waiting == 0 || waiting < j.batch() && !j.eof && len(j.redo) == 0 {
			return
		}
		w, room := m.roomiest(j)
		if w == nil {
			return
		}
		m.giveLease(j, w, m.chunk(j, w, waiting, room))
	}
}

// roomiest returns the worker that has most room for j and how much, or nil.
// Room that is too small for a worthwhile lease does not count.
func (m *Machine) roomiest(j *job) (*worker, uint64) {
	var best *worker
	var bestRoom, bestTarget uint64
	for _, w := range m.workers {
		if !j.suits(w) {
			continue
		}
		target := m.target(j, w)
		leased := uint64(0)
		if sh := j.shares[w]; sh != nil {
			leased = sh.leased
		}
		if leased >= target || target-leased < max(1, target/8) {
			continue
		}
		room := target - leased
		// The emptier one first, in proportion: a slow worker with nothing
		// to do comes before a fast one that has half.
		if best == nil || room*bestTarget > bestRoom*target {
			best, bestRoom, bestTarget = w, room, target
		}
	}
	return best, bestRoom
}

// target is how many inputs of j worker w should have at hand: enough to
// fill its width, and enough for Ahead at the speed it showed.
func (m *Machine) target(j *job, w *worker) uint64 {
	width := uint64(w.join.Width)
	if j.sub.Func == "" {
		width = 2 * uint64(w.join.Slots) // the next input is read while a command runs
	}
	width *= j.batch()
	if sh := j.shares[w]; sh != nil && sh.cost > 0 {
		return max(width, min(uint64(m.opts.Ahead.Nanoseconds()/sh.cost), uint64(m.opts.MaxAhead)))
	}
	return width
}

// chunk is the size of the next lease: a quarter of what the worker should
// have at hand, so that several are under way; towards the end a fair part
// of the rest, so that all workers end together.
func (m *Machine) chunk(j *job, w *worker, waiting, room uint64) uint64 {
	n := min(max(1, m.target(j, w)/4), uint64(m.opts.MaxLease))
	if j.eof {
		suited := uint64(0)
		for _, o := range m.workers {
			if j.suits(o) {
				suited++
			}
		}
		n = min(n, (waiting+2*suited-1)/(2*suited))
	}
	n = min(n, room)
	b := j.batch()
	return max(b, n/b*b)
}

// giveLease leases up to n inputs to w: what came back first, then new ones.
func (m *Machine) giveLease(j *job, w *worker, n uint64) {
	m.lastLease++
	l := &lease{id: m.lastLease, worker: w, at: m.now}
	if len(j.redo) > 0 {
		r := &j.redo[0]
		if r.level > 1 {
			n = j.batch()
		} else if r.level == 1 {
			n = max(j.batch(), n/64/j.batch()*j.batch())
		}
		l.remaining, l.level, l.alone = r.set.TakeFirst(n), r.level, r.alone
		if len(r.set) == 0 {
			j.redo = j.redo[1:]
		}
	} else {
		n = min(n, j.listed-j.next)
		l.remaining = Set{{j.next, n}}
		j.next += n
	}
	sh := j.shares[w]
	if sh == nil {
		sh = &share{}
		j.shares[w] = sh
	}
	sh.leased += l.remaining.Len()
	j.leases = append(j.leases, l)
	m.sendLease(j, l)
}

func (m *Machine) sendLease(j *job, l *lease) {
	e := &Lease{
		Job: j.sub.Job, ID: l.id, Set: l.remaining.Clone(),
		Reduce: j.sub.Reduce, Batch: j.sub.Batch, Segments: j.locate(l.remaining),
	}
	e.First, e.Spec = m.introduce(j, l.worker)
	m.emit(Effect{To: l.worker.session, Lease: e})
}

// introduce returns the spec of the job for a worker that has not got it.
func (m *Machine) introduce(j *job, w *worker) (first bool, spec []byte) {
	sh := j.shares[w]
	if sh == nil {
		sh = &share{}
		j.shares[w] = sh
	}
	if sh.specSent {
		return false, nil
	}
	sh.specSent = true
	return true, j.sub.Spec
}

// locate finds the names of a set in the log.
func (j *job) locate(set Set) []Segment {
	var out []Segment
	for _, r := range set {
		for i := j.segment(r.From); r.N > 0; i++ {
			seg := j.segments[i]
			skip := r.From - seg.Range.From
			n := min(r.N, seg.Range.N-skip)
			out = append(out, Segment{Range: Range{r.From, n}, Ref: seg.Ref, Skip: int(skip)})
			r = Range{r.From + n, r.N - n}
		}
	}
	return out
}

// segment returns the index of the segment that holds input x.
func (j *job) segment(x uint64) int {
	lo, hi := 0, len(j.segments)
	for lo < hi {
		mid := (lo + hi) / 2
		if j.segments[mid].Range.End() > x {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// listAhead lets the listing go on while it is not far enough ahead of what
// the workers take.
func (m *Machine) listAhead(j *job) {
	if j.eof {
		return
	}
	ahead := uint64(m.opts.ListAhead)
	for _, w := range m.workers {
		if j.suits(w) {
			ahead += 2 * m.target(j, w)
		}
	}
	want := j.next + ahead
	if j.upto > 0 && want < j.upto+uint64(m.opts.ListAhead)/2 {
		return
	}
	e := &Expand{Job: j.sub.Job, Upto: want}
	if j.upto == 0 {
		e.Spec, e.From = j.sub.Spec, j.listed
		if n := len(j.segments); n > 0 {
			e.Last = j.segments[n-1]
		}
	}
	j.upto = want
	m.emit(Effect{Expand: e})
}
