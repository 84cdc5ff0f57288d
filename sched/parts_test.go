package sched_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/leat-dev/leat/sched"
)

// TestSet compares a Set with a plain map under random operations.
func TestSet(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var s sched.Set
		model := map[uint64]bool{}
		for range 60 {
			r := sched.Range{From: rng.Uint64N(50), N: rng.Uint64N(8)}
			add := rng.IntN(2) == 0
			if add {
				s.Add(r)
			} else {
				s.Remove(r)
			}
			for x := r.From; x < r.End(); x++ {
				if add {
					model[x] = true
				} else {
					delete(model, x)
				}
			}
			checkSet(t, seed, s, model)
		}
		n := rng.Uint64N(30)
		before := s.Len()
		head := s.TakeFirst(n)
		if head.Len() != min(n, before) || head.Len()+s.Len() != before {
			t.Errorf("seed %d: TakeFirst(%d) of %d took %d, left %d", seed, n, before, head.Len(), s.Len())
		}
		if len(head) > 0 && len(s) > 0 && head[len(head)-1].End() > s[0].From {
			t.Errorf("seed %d: TakeFirst did not take the smallest: %v, %v", seed, head, s)
		}
	}
}

func checkSet(t *testing.T, seed uint64, s sched.Set, model map[uint64]bool) {
	t.Helper()
	for x := range uint64(60) {
		one := sched.Range{From: x, N: 1}
		if s.Contains(one) != model[x] || s.Overlaps(one) != model[x] {
			t.Fatalf("seed %d: membership of %d in %v is not %v", seed, x, s, model[x])
		}
	}
	for i, r := range s {
		if r.N == 0 || i > 0 && s[i-1].End() >= r.From {
			t.Fatalf("seed %d: not in normal form: %v", seed, s)
		}
	}
	if int(s.Len()) != len(model) {
		t.Fatalf("seed %d: %v has %d members, want %d", seed, s, s.Len(), len(model))
	}
}

func TestNames(t *testing.T) {
	var n sched.Names
	want := []string{"a", "", "\xff\n", "x y"}
	for i, name := range want {
		n.Append(name, int64(i)-1)
	}
	i := 0
	for name, size := range n.All() {
		if name != want[i] || size != int64(i)-1 {
			t.Errorf("name %d = %q, %d; want %q, %d", i, name, size, want[i], i-1)
		}
		i++
	}
	if i != len(want) || !n.Valid() {
		t.Errorf("%d names, valid %v", i, n.Valid())
	}
	for _, bad := range []sched.Names{
		{Blob: []byte("ab"), Ends: []uint32{2, 1}},
		{Blob: []byte("ab"), Ends: []uint32{3}},
		{Blob: []byte("ab"), Ends: []uint32{1, 2}, Sizes: []int64{1}},
	} {
		if bad.Valid() {
			t.Errorf("%+v is valid", bad)
		}
	}
}

func TestWorkerRunsALeaseOnce(t *testing.T) {
	w := sched.NewWorker()
	lease := &sched.Lease{Job: "j", ID: 1, Set: sched.Set{{From: 0, N: 2}}, First: true, Spec: []byte("s")}
	if fx := w.Step(sched.WorkerInput{Lease: lease}); len(fx) != 1 || string(fx[0].Run.Spec) != "s" {
		t.Fatalf("first lease: %+v", fx)
	}
	if fx := w.Step(sched.WorkerInput{Lease: lease}); len(fx) != 0 {
		t.Errorf("the same lease again: %+v", fx)
	}
	if fx := w.Step(sched.WorkerInput{Lease: &sched.Lease{Job: "j", ID: 2}}); string(fx[0].Run.Spec) != "s" {
		t.Errorf("second lease has no spec: %+v", fx)
	}
	if w.Idle() {
		t.Error("idle with two leases")
	}
}

func TestWorkerAnswersARevocationOnce(t *testing.T) {
	w := sched.NewWorker()
	// It overtook the lease: answered at once, and the lease never runs.
	fx := w.Step(sched.WorkerInput{Revoke: &sched.Revoke{Job: "j", Lease: 5}})
	if len(fx) != 1 || fx[0].Send == nil || !fx[0].Send.Done.Final {
		t.Fatalf("revocation of an unknown lease: %+v", fx)
	}
	if fx := w.Step(sched.WorkerInput{Lease: &sched.Lease{Job: "j", ID: 5}}); len(fx) != 0 {
		t.Errorf("a revoked lease runs: %+v", fx)
	}
	// It meets a running lease: stopped, results dropped, one final answer.
	w.Step(sched.WorkerInput{Lease: &sched.Lease{Job: "j", ID: 6}})
	if fx := w.Step(sched.WorkerInput{Revoke: &sched.Revoke{Job: "j", Lease: 6}}); len(fx) != 1 || fx[0].Stop == nil {
		t.Fatalf("revocation: %+v", fx)
	}
	fx = w.Step(sched.WorkerInput{Done: &sched.Done{Job: "j", Lease: 6, Final: true, Items: []sched.Item{{Key: "k"}}}})
	if len(fx) != 2 || !reflect.DeepEqual(fx[0].Drop, []string{"k"}) || len(fx[1].Send.Done.Items) != 0 {
		t.Errorf("report of a revoked lease: %+v", fx)
	}
	if !w.Idle() {
		t.Error("not idle")
	}
}

func TestWorkerLetsGoOfAJob(t *testing.T) {
	for _, end := range []sched.WorkerInput{
		{JobEnd: &sched.JobEnd{Job: "j"}},
		{Jobs: &sched.Jobs{Live: []string{"other"}}},
	} {
		w := sched.NewWorker()
		w.Step(sched.WorkerInput{Lease: &sched.Lease{Job: "j", ID: 1}})
		w.Step(sched.WorkerInput{Done: &sched.Done{Job: "j", Lease: 1, Final: true, Partial: &sched.Partial{Key: "p"}}})
		w.Step(sched.WorkerInput{Merge: &sched.Merge{Job: "j", ID: 1}})
		fx := slices.Clone(w.Step(end))
		if len(fx) != 2 || fx[0].StopJob != "j" || !reflect.DeepEqual(fx[1].Drop, []string{"p"}) {
			t.Errorf("end of the job: %+v", fx)
		}
		fx = w.Step(sched.WorkerInput{Merged: &sched.Merged{Job: "j", Merge: 1, Partial: &sched.Partial{Key: "m"}}})
		if len(fx) != 1 || !reflect.DeepEqual(fx[0].Drop, []string{"m"}) {
			t.Errorf("late merge: %+v", fx)
		}
	}
}

func TestCenter(t *testing.T) {
	c := sched.NewCenter()
	c.Register("a", "1", []string{"x", "y"})
	c.Register("b", "1", []string{"x"})
	c.Register("a", "1", []string{"z"})
	want := map[string][]string{"x": {"a", "b"}, "z": {"a"}, "nobody": {}}
	if got := c.WhoHas([]string{"x", "z", "nobody"}); !reflect.DeepEqual(got, want) {
		t.Errorf("WhoHas = %v, want %v", got, want)
	}
	c.Unregister("a", []string{"x", "never"})
	c.Unregister("stranger", []string{"x"})
	if got := c.WhoHas([]string{"x"})["x"]; !reflect.DeepEqual(got, []string{"b"}) {
		t.Errorf("after unregister x is at %v", got)
	}
	if got := c.List(); !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Errorf("List = %v", got)
	}
	// A restarted worker at the same address does not inherit.
	c.Register("b", "2", []string{"new"})
	if got := c.WhoHas([]string{"x"})["x"]; len(got) != 0 {
		t.Errorf("the new instance inherited x: %v", got)
	}
	c.Remove("b")
	if got := c.List(); !reflect.DeepEqual(got, []string{"a"}) {
		t.Errorf("List after Remove = %v", got)
	}
}

// BenchmarkMap drives a map of many inputs through the machine alone.
func BenchmarkMap(b *testing.B) {
	const n = 1 << 20
	for b.Loop() {
		m := sched.NewMachine(nil)
		num := map[string]uint64{}
		var queue []sched.Lease
		at := int64(0)
		step := func(from string, in sched.Input) {
			at += 1000
			in.At, in.From = at, from
			if from != "" {
				num[from]++
				in.Num = num[from]
			}
			for _, e := range m.Step(in) {
				if e.Lease != nil {
					queue = append(queue, *e.Lease)
				}
			}
		}
		step("c", sched.Input{Hello: &sched.Hello{}})
		step("w", sched.Input{Join: &sched.Join{Slots: 2, Width: 256, Funcs: []string{"f"}}})
		step("c", sched.Input{Submit: &sched.Submit{Job: "j", Func: "f", Reduce: true, MaxErrors: -1}})
		for i := 0; i < n; i += 1024 {
			step("", sched.Input{Listed: &sched.Listed{Job: "j", Count: 1024, EOF: i+1024 == n}})
		}
		for len(queue) > 0 {
			l := queue[0]
			queue = queue[1:]
			step("w", sched.Input{Done: &sched.Done{Job: "j", Lease: l.ID, Final: true,
				Items: []sched.Item{{Range: l.Set[0]}}, Partial: &sched.Partial{Key: "p"}}})
		}
		if p, _ := m.Progress("j"); p.OK != n {
			b.Fatalf("%+v", p)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/input")
}

// TestSnapshotDecidesAlike lets a machine and one restored from its snapshot
// take the same inputs of two jobs: they must hand out the same leases.
func TestSnapshotDecidesAlike(t *testing.T) {
	live := sched.NewMachine(nil)
	num := map[string]uint64{}
	input := func(from string, in sched.Input) sched.Input {
		if from != "" {
			num[from]++
			in.From, in.Num = from, num[from]
		}
		return in
	}
	submit := func(job string) sched.Input {
		return input("c", sched.Input{Submit: &sched.Submit{Job: job, Spec: []byte("s"), Func: "f", MaxErrors: -1}})
	}
	for _, in := range []sched.Input{
		input("c", sched.Input{Hello: &sched.Hello{}}),
		input("w", sched.Input{Join: &sched.Join{Slots: 1, Width: 8, Funcs: []string{"f"}}}),
		submit("first"),
		{Listed: &sched.Listed{Job: "first", EOF: true}},
		input("c", sched.Input{Ack: &sched.Ack{Job: "first"}}), // an odd number of turns
		input("c", sched.Input{Forget: &sched.Forget{Job: "first"}}),
	} {
		live.Step(in)
	}
	snap, ok := live.Snapshot()
	if !ok {
		t.Fatal("no snapshot of a machine without jobs")
	}
	restored := sched.NewMachine(nil)
	restored.Step(sched.Input{Restore: snap})
	live.Step(sched.Input{Restore: snap})
	for i, in := range []sched.Input{
		submit("a"), submit("b"),
		{Listed: &sched.Listed{Job: "b", Count: 4}},
		{Listed: &sched.Listed{Job: "a", Count: 40}},
		{Listed: &sched.Listed{Job: "b", Count: 40}},
		input("w2", sched.Input{Join: &sched.Join{Slots: 1, Width: 8, Funcs: []string{"f"}}}), // room for both jobs at once
		{Listed: &sched.Listed{Job: "a", Count: 10, EOF: true}},
	} {
		a, b := decisions(live.Step(in)), decisions(restored.Step(in))
		if !slices.Equal(a, b) {
			t.Errorf("input %d: live decided %q, restored %q", i, a, b)
		}
	}
}

// decisions shows effects together with the job of a lease.
func decisions(fx []sched.Effect) []string {
	var out []string
	for _, e := range fx {
		line := show(e)
		if e.Lease != nil {
			line += " of " + e.Lease.Job
		}
		out = append(out, line)
	}
	return out
}
