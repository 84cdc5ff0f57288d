package sched_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run only this seed of the simulation")
	seedsFlag = flag.Int("seeds", 300, "how many seeds the simulation runs")
)

// TestSimulation runs a scheduler, workers and a client against each other
// under random delays, crashes, silences, restarts of the scheduler from its
// log, failing inputs and lost results, and checks that each input counts
// exactly once.
func TestSimulation(t *testing.T) {
	if *seedFlag != 0 {
		newSim(t, *seedFlag).run()
		return
	}
	for seed := uint64(1); seed <= uint64(*seedsFlag); seed++ {
		newSim(t, seed).run()
		if t.Failed() {
			t.Fatalf("replay with: go test ./sched -run TestSimulation -seed %d", seed)
		}
	}
}

// sim is one simulated cluster. Messages between two peers keep their order;
// everything else is up to the seed.
type sim struct {
	t    *testing.T
	seed uint64
	rng  *rand.Rand

	m     *sched.Machine
	log   []sched.Input
	purge int // log entries before this one are gone
	now   int64

	workers map[string]*simWorker // by session
	names   int
	toMain  map[string][]sched.Input // sent, numbered, not yet taken
	nums    map[string]uint64

	total, listed int
	poison        map[uint64]int // input -> how many tries fail
	reduce        bool
	batch         int
	client        simClient
	expandTo      uint64
	listEnd       bool
}

type simWorker struct {
	name, session string
	m             *sched.Worker
	inbox         []sched.Effect
	running       []func() // what the runner will do next, in any order
	store         map[string][]uint64
	silent        bool // given up by the scheduler without its knowledge
	keys          int
}

type simClient struct {
	inbox   []sched.Effect
	last    uint64
	got     map[uint64]int // input -> times delivered as a result
	failed  map[uint64]int
	done    *sched.JobDone
	ended   bool
	waiting map[sched.Range]bool // results to be had again
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)),
		workers: map[string]*simWorker{}, toMain: map[string][]sched.Input{}, nums: map[string]uint64{},
		poison: map[uint64]int{},
		client: simClient{got: map[uint64]int{}, failed: map[uint64]int{}, waiting: map[sched.Range]bool{}},
	}
	s.total = s.rng.IntN(400)
	s.reduce = s.rng.IntN(2) == 0
	s.batch = []int{0, 0, 3}[s.rng.IntN(3)]
	for range s.rng.IntN(4) {
		if s.total > 0 {
			s.poison[s.rng.Uint64N(uint64(s.total))] = 1 + s.rng.IntN(4)
		}
	}
	s.m = sched.NewMachine(s.options())
	return s
}

// options are small, so that windows, merges and chunks matter.
func (s *sim) options() *sched.Options {
	return &sched.Options{
		Ahead: 20 * time.Millisecond, MaxLease: 16, MaxAhead: 40, Window: 60,
		ListAhead: 24, MergeAt: 3, AloneDeaths: 1000, MaxRecomputes: 1 << 30,
	}
}

func (s *sim) run() {
	for range 1 + s.rng.IntN(3) {
		s.startWorker()
	}
	s.send("client", sched.Input{Hello: &sched.Hello{}})
	s.send("client", sched.Input{Submit: &sched.Submit{
		Job: "j", Spec: []byte("spec"), Func: "f", Reduce: s.reduce, Retries: 2, MaxErrors: -1, Batch: s.batch,
	}})
	for step := 0; !s.client.ended; step++ {
		if step > 200000 {
			s.t.Errorf("seed %d: no end after %d steps; %+v", s.seed, step, first(s.m.Progress("j")))
			return
		}
		s.step(step)
		if s.t.Failed() {
			return
		}
	}
	s.verify()
}

func first[A, B any](a A, _ B) A { return a }

// step lets one thing happen.
func (s *sim) step(n int) {
	s.now += s.rng.Int64N(int64(time.Millisecond))
	calm := n > 3000 // then faults stop, so that every run ends
	switch k := s.rng.IntN(100); {
	case k < 40:
		s.takeInput()
	case k < 70:
		s.workerStep()
	case k < 80:
		s.clientStep()
	case k < 90:
		s.list()
	case calm:
		if len(s.live()) == 0 {
			s.startWorker()
		}
	case k < 91:
		s.restart()
	case k < 93:
		s.kill()
	case k < 94:
		s.silence()
	case k < 96 && len(s.workers) < 5:
		s.startWorker()
	}
}

// apply logs an input, gives it to the machine and carries out the effects.
func (s *sim) apply(in sched.Input) {
	in.At = s.now
	in.Ref = sched.Ref{Seq: uint64(len(s.log) + 1)}
	s.log = append(s.log, in)
	for _, e := range slices.Clone(s.m.Step(in)) {
		s.effect(e)
	}
}

func (s *sim) effect(e sched.Effect) {
	switch {
	case e.Expand != nil:
		s.expandTo = max(s.expandTo, e.Expand.Upto)
		if e.Expand.Spec != nil {
			s.listed = int(e.Expand.From)
			s.expandTo = e.Expand.Upto
		}
	case e.Compact != nil:
		if snap, ok := s.m.Snapshot(); ok {
			s.purge = len(s.log)
			s.apply(sched.Input{Restore: snap})
		}
	case e.To == "client":
		if d := e.Deliver; d != nil {
			s.fill(d)
		}
		if d := e.JobDone; d != nil && d.Ref.Seq > 0 {
			d.Value = s.log[d.Ref.Seq-1].Merged.Value
		}
		s.client.inbox = append(s.client.inbox, e)
	default:
		if w := s.workers[e.To]; w != nil {
			if l := e.Lease; l != nil {
				s.checkNames(l)
			}
			w.inbox = append(w.inbox, e)
		}
	}
}

// checkNames resolves the segments of a lease the way a host does.
func (s *sim) checkNames(l *sched.Lease) {
	var got []string
	for _, seg := range l.Segments {
		in := s.log[seg.Ref.Seq-1]
		for i := range int(seg.Range.N) {
			name, _ := in.Listed.Names.At(seg.Skip + i)
			got = append(got, name)
		}
	}
	var want []string
	for _, r := range l.Set {
		for x := r.From; x < r.End(); x++ {
			want = append(want, fmt.Sprint("in", x))
		}
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("seed %d: names of lease %v: %v, want %v", s.seed, l.Set, got, want)
	}
}

func (s *sim) fill(d *sched.Deliver) {
	in := s.log[d.Ref.Seq-1].Done
	for _, it := range in.Items {
		if d.Accepted.Contains(it.Range) {
			d.Items = append(d.Items, it)
		}
	}
	for _, f := range in.Failed {
		if d.Accepted.Contains(f.Range) {
			d.Failed = append(d.Failed, f)
		}
	}
}

// send numbers an input of a peer; it is taken later, perhaps twice.
func (s *sim) send(from string, in sched.Input) {
	s.nums[from]++
	in.From, in.Num = from, s.nums[from]
	s.toMain[from] = append(s.toMain[from], in)
}

func (s *sim) takeInput() {
	froms := slices.Sorted(maps.Keys(s.toMain))
	if len(froms) == 0 {
		return
	}
	from := froms[s.rng.IntN(len(froms))]
	q := s.toMain[from]
	// Messages are resent from the first that is not acknowledged: the
	// machine must refuse repetitions and gaps.
	i := min(s.rng.IntN(3), len(q)-1)
	s.apply(q[i])
	acked := s.m.LastNum(from)
	q = slices.DeleteFunc(q, func(in sched.Input) bool { return in.Num <= acked })
	if len(q) == 0 || !s.m.Known(from) && from != "client" && s.workers[from] == nil {
		delete(s.toMain, from)
	} else {
		s.toMain[from] = q
	}
}

func (s *sim) list() {
	if s.listEnd && s.listed >= s.total || !hasJob(s.m) {
		return
	}
	n := min(1+s.rng.IntN(20), s.total-s.listed, int(s.expandTo)-s.listed)
	if n < 0 || n == 0 && s.listed < s.total {
		return
	}
	l := &sched.Listed{Job: "j", Count: n}
	for i := range n {
		l.Names.Append(fmt.Sprint("in", s.listed+i), 1)
	}
	s.listed += n
	l.EOF = s.listed == s.total && s.rng.IntN(2) == 0
	s.listEnd = l.EOF
	s.apply(sched.Input{Listed: l})
}

func hasJob(m *sched.Machine) bool { _, ok := m.Progress("j"); return ok }

// restart throws the machine away and builds it anew from the log.
func (s *sim) restart() {
	replayed := sched.NewMachine(s.options())
	for i, in := range s.log[s.purge:] {
		in.Ref = sched.Ref{Seq: uint64(s.purge + i + 1)}
		replayed.Step(in)
	}
	if a, b := first(s.m.Progress("j")), first(replayed.Progress("j")); a != b {
		s.t.Errorf("seed %d: replay gave %+v, live was %+v", s.seed, b, a)
	}
	if !reflect.DeepEqual(s.m.Sessions(), replayed.Sessions()) {
		s.t.Errorf("seed %d: replay knows %v, live %v", s.seed, replayed.Sessions(), s.m.Sessions())
	}
	s.m = replayed
	s.listEnd = false
	if p, ok := s.m.Progress("j"); ok {
		s.listed, s.listEnd = int(p.Listed), p.EOF
	}
	for _, w := range s.workers { // what was on its way is lost
		w.inbox = nil
	}
	s.client.inbox = nil
	s.apply(sched.Input{Epoch: &sched.Epoch{Epoch: 2}})
}

func (s *sim) startWorker() {
	s.names++
	w := &simWorker{name: fmt.Sprint("w", s.names), m: sched.NewWorker(), store: map[string][]uint64{}}
	s.join(w)
}

func (s *sim) join(w *simWorker) {
	s.names++
	w.session = fmt.Sprintf("%s.%d", w.name, s.names)
	s.workers[w.session] = w
	s.send(w.session, sched.Input{Join: &sched.Join{Name: w.name, Addr: w.session, Slots: 2, Width: 8, Funcs: []string{"f"}}})
}

// live returns the workers in a fixed order.
func (s *sim) live() []*simWorker {
	var out []*simWorker
	for _, k := range slices.Sorted(maps.Keys(s.workers)) {
		out = append(out, s.workers[k])
	}
	return out
}

func (s *sim) pick() *simWorker {
	if ws := s.live(); len(ws) > 0 {
		return ws[s.rng.IntN(len(ws))]
	}
	return nil
}

// kill ends a worker with all it holds.
func (s *sim) kill() {
	if w := s.pick(); w != nil {
		delete(s.workers, w.session)
		delete(s.toMain, w.session)
		s.apply(sched.Input{Lost: &sched.Lost{Session: w.session, Left: s.rng.IntN(4) == 0}})
	}
}

// silence gives up a worker that is alive; it goes on until it hears so.
func (s *sim) silence() {
	if w := s.pick(); w != nil && !w.silent {
		w.silent = true
		s.apply(sched.Input{Lost: &sched.Lost{Session: w.session}})
	}
}

func (s *sim) workerStep() {
	w := s.pick()
	if w == nil {
		return
	}
	if !s.m.Known(w.session) && s.toMain[w.session] == nil { // its heartbeat is answered so
		w.inbox = append(w.inbox, sched.Effect{Reset: &sched.Reset{}})
	}
	if len(w.inbox) > 0 && s.rng.IntN(2) == 0 {
		e := w.inbox[0]
		w.inbox = w.inbox[1:]
		s.worker(w, sched.WorkerInput{
			Lease: e.Lease, Revoke: e.Revoke, Merge: e.Merge, Free: e.Free, JobEnd: e.JobEnd, Jobs: e.Jobs, Reset: e.Reset,
		})
		return
	}
	if len(w.running) > 0 {
		i := s.rng.IntN(len(w.running))
		f := w.running[i]
		w.running = slices.Delete(w.running, i, i+1)
		f()
	}
}

func (s *sim) worker(w *simWorker, in sched.WorkerInput) {
	for _, e := range slices.Clone(w.m.Step(in)) {
		switch {
		case e.Run != nil:
			s.startLease(w, e.Run)
		case e.RunMerge != nil:
			w.running = append(w.running, func() { s.runMerge(w, e.RunMerge) })
		case e.Drop != nil:
			for _, k := range e.Drop {
				delete(w.store, k)
			}
		case e.Send != nil:
			s.send(w.session, *e.Send)
		case e.Rejoin:
			delete(s.workers, w.session)
			delete(s.toMain, w.session)
			w.running, w.inbox, w.store, w.silent = nil, nil, map[string][]uint64{}, false
			s.join(w)
		}
	}
}

// startLease splits a lease into reports that come one after the other.
func (s *sim) startLease(w *simWorker, l *sched.Lease) {
	if string(l.Spec) != "spec" {
		s.t.Errorf("seed %d: lease without its spec", s.seed)
	}
	var ok, units []sched.Range
	for _, r := range l.Set {
		for x := r.From; x < r.End(); x += max(1, uint64(l.Batch)) {
			units = append(units, sched.Range{From: x, N: min(max(1, uint64(l.Batch)), r.End()-x)})
		}
	}
	d := &sched.Done{Job: l.Job, Lease: l.ID}
	var reports []*sched.Done
	for _, u := range units {
		if s.fails(u) {
			d.Failed = append(d.Failed, sched.Failure{Range: u, Problem: sched.Problem{Kind: fault.UserError, Text: "no"}})
		} else if ok = append(ok, u); !l.Reduce {
			d.Items = append(d.Items, s.item(w, u))
		}
		if !l.Reduce && s.rng.IntN(3) == 0 {
			reports = append(reports, d)
			d = &sched.Done{Job: l.Job, Lease: l.ID}
		}
	}
	if l.Reduce && len(ok) > 0 {
		var set sched.Set
		for _, u := range ok {
			set.Add(u)
		}
		for _, r := range set {
			d.Items = append(d.Items, sched.Item{Range: r})
		}
		d.Partial = &sched.Partial{Key: w.put(members(set)), Size: int64(set.Len())}
	}
	d.Final = true
	reports = append(reports, d)
	var next func()
	next = func() {
		r := reports[0]
		reports = reports[1:]
		s.worker(w, sched.WorkerInput{Done: r})
		if len(reports) > 0 {
			w.running = append(w.running, next)
		}
	}
	w.running = append(w.running, next)
}

func (s *sim) fails(u sched.Range) bool {
	for x := u.From; x < u.End(); x++ {
		if s.poison[x] > 0 {
			s.poison[x]--
			return true
		}
	}
	return false
}

func (s *sim) item(w *simWorker, u sched.Range) sched.Item {
	it := sched.Item{Range: u, Value: []byte("v")}
	if s.rng.IntN(3) == 0 {
		it.Value, it.Key = nil, w.put(members(sched.Set{u}))
	}
	return it
}

func members(set sched.Set) []uint64 {
	var out []uint64
	for _, r := range set {
		for x := r.From; x < r.End(); x++ {
			out = append(out, x)
		}
	}
	return out
}

func (w *simWorker) put(v []uint64) string {
	w.keys++
	key := fmt.Sprintf("%s/%d", w.session, w.keys)
	w.store[key] = v
	return key
}

func (s *sim) runMerge(w *simWorker, mg *sched.Merge) {
	out := &sched.Merged{Job: mg.Job, Merge: mg.ID}
	var all []uint64
	for _, src := range mg.Sources {
		holder := w
		if src.Addr != "" {
			holder = s.workers[src.Addr]
		}
		var v []uint64
		ok := holder != nil
		if ok {
			v, ok = holder.store[src.Key]
		}
		if !ok {
			out.Missing = append(out.Missing, src.Key)
		}
		all = append(all, v...)
	}
	if len(out.Missing) == 0 {
		if mg.Final && s.rng.IntN(2) == 0 {
			out.Partial, out.Value = &sched.Partial{Size: int64(len(all))}, encode(all)
		} else {
			out.Partial = &sched.Partial{Key: w.put(all), Size: int64(len(all))}
		}
	}
	s.worker(w, sched.WorkerInput{Merged: out})
}

func encode(v []uint64) []byte {
	slices.Sort(v)
	return fmt.Appendf(nil, "%v", v)
}

func (s *sim) clientStep() {
	c := &s.client
	if len(c.inbox) == 0 {
		return
	}
	e := c.inbox[0]
	c.inbox = c.inbox[1:]
	switch {
	case e.Deliver != nil:
		s.takeDelivery(e.Deliver)
	case e.JobDone != nil:
		s.takeDone(e.JobDone)
	}
}

func (s *sim) takeDelivery(d *sched.Deliver) {
	c := &s.client
	if d.Num <= c.last {
		return
	}
	if d.Num != c.last+1 {
		s.t.Errorf("seed %d: delivery %d after %d", s.seed, d.Num, c.last)
	}
	c.last = d.Num
	for _, it := range d.Items {
		if it.Key != "" {
			w := s.workers[d.Addr]
			if w == nil || w.store[it.Key] == nil {
				s.send("client", sched.Input{FetchFailed: &sched.FetchFailed{Job: "j", Range: it.Range, Key: it.Key}})
				c.done = nil
				c.waiting[it.Range] = true
				continue
			}
		}
		for x := it.Range.From; x < it.Range.End(); x++ {
			c.got[x]++
		}
	}
	for _, f := range d.Failed {
		for x := f.Range.From; x < f.Range.End(); x++ {
			c.failed[x]++
		}
	}
	s.send("client", sched.Input{Ack: &sched.Ack{Job: "j", Upto: d.Num}})
}

func (s *sim) takeDone(d *sched.JobDone) {
	c := &s.client
	if d.Deliveries != c.last || d.Err != nil {
		if d.Err != nil {
			s.t.Errorf("seed %d: job ended with %+v", s.seed, d.Err)
		}
		return
	}
	if d.OK+d.Failed != d.Listed || int(d.Listed) != s.total {
		s.t.Errorf("seed %d: counts %+v of %d", s.seed, d, s.total)
	}
	if s.reduce && d.Reduced {
		value := string(d.Value)
		if d.Key != "" {
			w := s.workers[d.Addr]
			if w == nil || w.store[d.Key] == nil {
				s.send("client", sched.Input{FetchFailed: &sched.FetchFailed{Job: "j", Key: d.Key}})
				return
			}
			value = string(encode(slices.Clone(w.store[d.Key])))
		}
		var want []uint64
		for x := range uint64(s.total) {
			if c.failed[x] == 0 {
				want = append(want, x)
			}
		}
		if value != string(encode(want)) {
			s.t.Errorf("seed %d: reduced %s, want %v", s.seed, value, want)
		}
	}
	if !s.reduce && s.missing() {
		return // results are on their way again
	}
	c.done = d
	c.ended = true
	s.send("client", sched.Input{Forget: &sched.Forget{Job: "j"}})
	for s.toMain["client"] != nil {
		s.takeInput()
	}
}

// missing reports whether the client still waits for a result that it could
// not fetch.
func (s *sim) missing() bool {
	for r := range s.client.waiting {
		for x := r.From; x < r.End(); x++ {
			if s.client.got[x]+s.client.failed[x] == 0 {
				return true
			}
		}
	}
	return false
}

func (s *sim) verify() {
	c := &s.client
	for x := range uint64(s.total) {
		got := c.got[x] + c.failed[x]
		if s.reduce {
			if c.failed[x] > 1 {
				s.t.Errorf("seed %d: input %d failed %d times", s.seed, x, c.failed[x])
			}
		} else if got != 1 {
			s.t.Errorf("seed %d: input %d counted %d times", s.seed, x, got)
		}
	}
	if hasJob(s.m) {
		s.t.Errorf("seed %d: the job is not forgotten", s.seed)
	}
	for _, w := range s.live() { // let every worker hear of the end
		for len(w.inbox) > 0 || len(w.running) > 0 {
			s.drainWorker(w)
		}
		if len(w.store) > 0 && !w.silent {
			s.t.Errorf("seed %d: worker %s still holds %d values", s.seed, w.session, len(w.store))
		}
	}
}

func (s *sim) drainWorker(w *simWorker) {
	if len(w.inbox) > 0 {
		e := w.inbox[0]
		w.inbox = w.inbox[1:]
		s.worker(w, sched.WorkerInput{
			Lease: e.Lease, Revoke: e.Revoke, Merge: e.Merge, Free: e.Free, JobEnd: e.JobEnd, Jobs: e.Jobs, Reset: e.Reset,
		})
		return
	}
	f := w.running[0]
	w.running = w.running[1:]
	f()
}
