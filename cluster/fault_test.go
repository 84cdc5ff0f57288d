package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

func TestLossRepetitionAndDisorder(t *testing.T) {
	const n = 3000
	mux, pattern := objects(t, n)
	r := newRig(t, mux, 0.08)
	r.opt.DeadAfter = 20 * time.Second // loss alone takes nobody's session
	r.scheduler()
	for i := range 3 {
		r.worker(fmt.Sprint("w", i))
	}
	c := r.client()
	for _, reduce := range []string{"", "sum"} {
		j, err := c.Map(t.Context(), &work.Spec{Inputs: []string{pattern}, Func: "lines", Reduce: reduce}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if reduce == "" {
			take(t, j, n, nil)
		} else {
			reduceTo(t, j, sumOf(n))
		}
	}
}

// TestLostAcknowledgementIsRepeated drops the answer to the only thing that a
// client ever says.
func TestLostAcknowledgementIsRepeated(t *testing.T) {
	mux, _ := objects(t, 1)
	r := newRig(t, mux, 0)
	first := true
	r.net.lose = func(subject string) bool {
		lost := first && strings.Contains(subject, ".out.")
		first = first && !lost
		return lost
	}
	r.scheduler()
	r.client()
	if first {
		t.Error("nothing was lost")
	}
}

func TestWorkerDiesWithoutGoodbye(t *testing.T) {
	const n = 1000
	mux, pattern := objects(t, n)
	r := newRig(t, mux, 0)
	r.scheduler()
	r.worker("survivor")
	_, bus := r.worker("victim")
	c := r.client()
	var mu sync.Mutex
	var notices []sched.Notice
	opts := &MapOptions{Notice: func(n sched.Notice) {
		mu.Lock()
		defer mu.Unlock()
		notices = append(notices, n)
	}}
	spec := &work.Spec{Inputs: []string{pattern}, Func: "test-slow-lines"}
	j, err := c.Map(t.Context(), spec, opts)
	if err != nil {
		t.Fatal(err)
	}
	take(t, j, n, func(seen int) {
		if seen == n/4 {
			bus.sever()
		}
	})
	mu.Lock()
	defer mu.Unlock()
	if len(notices) == 0 || notices[0].Worker != "victim" || notices[0].Left {
		t.Errorf("notices %+v, want one of the victim", notices)
	}
}

func TestReduceWhenWorkersDie(t *testing.T) {
	const n = 1000
	mux, pattern := objects(t, n)
	r := newRig(t, mux, 0)
	r.scheduler()
	r.worker("survivor")
	_, bus := r.worker("victim")
	c := r.client()
	j, err := c.Map(t.Context(), &work.Spec{Inputs: []string{pattern}, Func: "test-slow-lines", Reduce: "sum"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-slow.after(n / 2) // a good part of it is folded
	bus.sever()
	reduceTo(t, j, sumOf(n))
}

// TestSilentWorkerComesBack cuts a worker off for longer than its session
// lives, and lets it speak again.
func TestSilentWorkerComesBack(t *testing.T) {
	const n = 1000
	mux, pattern := objects(t, n)
	r := newRig(t, mux, 0)
	said := &heard{}
	r.opt.Log = slog.New(said)
	joined := said.after("worker joined", 3)
	lost := said.after("session is silent and given up", 1)
	r.scheduler()
	r.worker("steady")
	o, err := (&WorkerOptions{Name: "away", Mux: mux, Slots: 2, timing: fastTiming}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	bus := &mutedBus{Bus: r.net.connect()}
	w, err := startWorker(bus, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	c := r.client()
	for range 2 {
		j, err := c.Map(t.Context(), &work.Spec{Inputs: []string{pattern}, Func: "test-slow-lines"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		take(t, j, n, func(seen int) {
			if seen == n/4 && w.sessions.Load() == 1 {
				bus.mute(true)
				<-lost
				bus.mute(false)
				<-joined
			}
		})
	}
	if got := w.sessions.Load(); got != 2 {
		t.Errorf("the worker had %d sessions, want 2", got)
	}
}

// TestLostValuesAreMadeAgain kills the worker that holds values which the
// client has not fetched yet.
func TestLostValuesAreMadeAgain(t *testing.T) {
	const n = 600
	mux, pattern := objects(t, n)
	r := newRig(t, mux, 0)
	r.scheduler()
	victim, bus := r.worker("victim")
	c := r.client()
	j, err := c.Map(t.Context(), &work.Spec{Inputs: []string{pattern}, Func: "test-large"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for r2, err := range j.Results() {
		if err != nil {
			t.Fatal(err)
		}
		if seen[r2.Index] || len(r2.Value) != largeBytes {
			t.Errorf("input %d: %d bytes; seen %v", r2.Index, len(r2.Value), seen[r2.Index])
		}
		if seen[r2.Index] = true; len(seen) == 10 {
			bus.sever()
			victim.cancel(errKilled)
			<-victim.Done()
			r.worker("survivor")
		}
	}
	s, err := j.Wait(t.Context())
	if err != nil || s.OK != n || len(seen) != n || s.Redone == 0 {
		t.Errorf("summary %+v, %d results, %v", s, len(seen), err)
	}
}

const largeBytes = 40_000

func init() {
	work.Register("test-large", func(context.Context, *work.Input) ([]byte, error) {
		return make([]byte, largeBytes), nil
	})
}

// TestListingGoesOnAfterARestart ends the scheduler while it lists several
// patterns, and one.
func TestListingGoesOnAfterARestart(t *testing.T) {
	const n = 2000
	mux, pattern := objects(t, n)
	root := strings.TrimSuffix(pattern, "*")
	for _, patterns := range [][]string{{pattern}, {root + "o000*", root + "o001*"}} {
		r := newRig(t, mux, 0)
		s := r.scheduler()
		c := r.client()
		j, err := c.Map(t.Context(), &work.Spec{Inputs: patterns, Func: "lines"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for p := (sched.Progress{}); p.Listed == 0; { // without workers it stops by itself
			if p, err = j.Progress(t.Context()); err != nil && fault.KindOf(err) != fault.Invalid {
				t.Fatal(err)
			}
		}
		s.cancel(errKilled)
		<-s.done
		r.scheduler()
		r.worker("w")
		take(t, j, n, nil)
		c.Close()
	}
}

// TestSplitDone keeps everything of a large report, in pieces that fit.
func TestSplitDone(t *testing.T) {
	d := &sched.Done{Job: "j", Lease: 1, Final: true}
	for i := range uint64(3000) {
		d.Items = append(d.Items, sched.Item{Range: sched.Range{From: i, N: 1}, Value: make([]byte, 2000)})
		d.Failed = append(d.Failed, sched.Failure{Range: sched.Range{From: 10000 + i, N: 1}, Problem: sched.Problem{Stderr: make([]byte, 4096)}})
	}
	var got sched.Set
	parts := splitDone(d)
	for i, p := range parts {
		if raw := encodeInput(&sched.Input{Done: p}); len(raw) > maxInputBytes/2 {
			t.Errorf("part %d has %d bytes", i, len(raw))
		}
		if p.Final != (i == len(parts)-1) {
			t.Errorf("part %d of %d is final: %v", i, len(parts), p.Final)
		}
		for _, it := range p.Items {
			got.Add(it.Range)
		}
		for _, f := range p.Failed {
			got.Add(f.Range)
		}
	}
	if len(got) != 2 || got.Len() != 6000 {
		t.Errorf("the parts hold %v", got)
	}
}

// mutedBus can stop to let anything out, as a stopped process does.
type mutedBus struct {
	Bus
	mu    sync.Mutex
	muted bool
}

func (b *mutedBus) mute(on bool) {
	b.mu.Lock()
	b.muted = on
	b.mu.Unlock()
}

func (b *mutedBus) Publish(subject string, data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.muted {
		return nil
	}
	return b.Bus.Publish(subject, data)
}

func TestSchedulerRestarts(t *testing.T) {
	for _, reduce := range []string{"", "sum"} {
		t.Run("reduce="+reduce, func(t *testing.T) {
			const n = 2000
			mux, pattern := objects(t, n)
			r := newRig(t, mux, 0.02)
			r.opt.DeadAfter = 20 * time.Second
			s := r.scheduler()
			for i := range 2 {
				r.worker(fmt.Sprint("w", i))
			}
			c := r.client()
			j, err := c.Map(t.Context(), &work.Spec{Inputs: []string{pattern}, Func: "test-slow-lines", Reduce: reduce}, nil)
			if err != nil {
				t.Fatal(err)
			}
			restart := func() {
				s.cancel(errKilled) // no goodbye, no resignation
				<-s.done
				s = r.scheduler()
			}
			if reduce == "" {
				take(t, j, n, func(seen int) {
					if seen%500 == 250 {
						restart()
					}
				})
				return
			}
			for range 4 {
				<-slow.after(n / 5)
				restart()
			}
			if s := reduceTo(t, j, sumOf(n)); s.OK != n {
				t.Errorf("summary %+v", s)
			}
		})
	}
}

func TestSecondSchedulerFencesTheFirst(t *testing.T) {
	mux, pattern := objects(t, 10)
	r := newRig(t, mux, 0)
	old := r.scheduler()
	r.scheduler()
	r.worker("w")
	c := r.client()
	<-old.Done()
	if fault.KindOf(old.Err()) != fault.Refused {
		t.Errorf("the first scheduler ended with %v, want kind Refused", old.Err())
	}
	j, err := c.Map(t.Context(), &work.Spec{Inputs: []string{pattern}, Func: "lines"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	take(t, j, 10, nil)
}

func TestFullLogEndsTheScheduler(t *testing.T) {
	mux, _ := objects(t, 1)
	r := newRig(t, mux, 0)
	s := r.scheduler()
	r.st.log.(*memLog).full = true
	s.queue.host(true, &sched.Input{Lost: &sched.Lost{Session: "nobody"}})
	<-s.Done()
	if fault.KindOf(s.Err()) != fault.NoSpace {
		t.Errorf("ended with %v, want kind NoSpace", s.Err())
	}
}

func TestCorruptLogIsRefused(t *testing.T) {
	mux, _ := objects(t, 1)
	r := newRig(t, mux, 0)
	r.scheduler().Close()
	l := r.st.log.(*memLog)
	l.recs[0][3] ^= 1
	o, err := r.opt.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := startScheduler(t.Context(), r.net.connect(), r.st, o); fault.KindOf(err) != fault.Corrupt {
		t.Errorf("start on a corrupt log: %v, want kind Corrupt", err)
	}
}
