package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/internal/natsd"
	"github.com/leat-dev/leat/sched"
)

// realLog returns the log of a namespace on a NATS server.
func realLog(t *testing.T) (*natsLog, jetstream.JetStream) {
	t.Helper()
	s, err := natsd.Start(natsd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	nc, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	l, err := openLog(t.Context(), js, "test")
	if err != nil {
		t.Fatal(err)
	}
	return l, js
}

// TestLog holds both logs to what the interface promises.
func TestLog(t *testing.T) {
	real, _ := realLog(t)
	for _, l := range []Log{newMemLog(), real} {
		t.Run(fmt.Sprintf("%T", l), func(t *testing.T) {
			ctx := t.Context()
			bounds := func(wantFirst, wantLast uint64) {
				t.Helper()
				if first, last, err := l.Bounds(ctx); first != wantFirst || last != wantLast || err != nil {
					t.Errorf("bounds %d to %d, %v; want %d to %d", first, last, err, wantFirst, wantLast)
				}
			}
			bounds(1, 0)
			for i := range uint64(5) {
				if err := l.Append(ctx, i, []byte{byte(i)}); err != nil {
					t.Fatal(err)
				}
			}
			bounds(1, 5)
			if err := l.Append(ctx, 3, []byte("late")); !errors.Is(err, errFenced) {
				t.Errorf("append behind an old record: %v", err)
			}
			if err := l.Append(ctx, 7, []byte("early")); !errors.Is(err, errFenced) {
				t.Errorf("append behind a record that is not there: %v", err)
			}
			if got, err := l.Read(ctx, 3); err != nil || !bytes.Equal(got, []byte{2}) {
				t.Errorf("record 3 = %q, %v", got, err)
			}
			if err := l.Purge(ctx, 4); err != nil {
				t.Fatal(err)
			}
			bounds(4, 5)
			if _, err := l.Read(ctx, 3); fault.KindOf(err) != fault.NotExist {
				t.Errorf("read of a purged record: %v", err)
			}
			if err := l.Purge(ctx, 6); err != nil {
				t.Fatal(err)
			}
			bounds(6, 5)
			if err := l.Append(ctx, 5, []byte("on")); err != nil {
				t.Errorf("append to an emptied log: %v", err)
			}
		})
	}
}

func TestAppendInDoubtIsSettled(t *testing.T) {
	l, _ := realLog(t)
	ctx := t.Context()
	if err := l.append(ctx, 0, []byte("mine")); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		last   uint64
		record string
		done   bool
		err    error
	}{
		{0, "mine", true, nil},
		{0, "not mine", false, errFenced},
		{1, "next", false, nil},
	} {
		if done, err := l.settle(ctx, tc.last, []byte(tc.record)); done != tc.done || !errors.Is(err, tc.err) {
			t.Errorf("settle(%d, %q) = %v, %v", tc.last, tc.record, done, err)
		}
	}
}

func TestLogFull(t *testing.T) {
	l, js := realLog(t)
	cfg := l.stream.CachedInfo().Config
	cfg.MaxBytes = 10_000
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), 0, make([]byte, 20_000)); fault.KindOf(err) != fault.NoSpace {
		t.Errorf("append to a full log: %v, want kind NoSpace", err)
	}
}

func TestElector(t *testing.T) {
	_, js := realLog(t)
	net := newNetwork(1, 0)
	bus := net.connect()
	defer bus.Close()
	el, err := openElector(t.Context(), js, bus, "test")
	if err != nil {
		t.Fatal(err)
	}
	el.quiet = 1 // nanosecond: nobody is heard
	first, err := el.Campaign(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	second, err := el.Campaign(t.Context(), "b")
	if err != nil || second <= first {
		t.Fatalf("epochs %d, %d, %v", first, second, err)
	}
	if err := el.Resign(t.Context(), first); err == nil {
		t.Error("an old leader could resign for the new one")
	}
	if err := el.Resign(t.Context(), second); err != nil {
		t.Error(err)
	}
	el.quiet = 1 << 60 // a released key is not waited for
	if third, err := el.Campaign(t.Context(), "c"); err != nil || third <= second {
		t.Errorf("epoch %d after %d, %v", third, second, err)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	ins := []*sched.Input{
		{From: "s\xff", Num: 7, Done: &sched.Done{Job: "j", Lease: 3, Items: []sched.Item{
			{Range: sched.Range{From: 1, N: 1}, Name: []byte("a\xff\n"), Value: []byte("v"), Size: 1},
			{Range: sched.Range{From: 2, N: 3}, Key: "k", Size: 1 << 40},
		}, Failed: []sched.Failure{{Range: sched.Range{From: 9, N: 1}, Problem: sched.Problem{Kind: fault.UserError, Exit: -1}}}}},
		{Lost: &sched.Lost{Session: "x", Left: true}},
	}
	var es []entry
	for _, in := range ins {
		es = append(es, entry{in, encodeInput(in)})
	}
	data := (&record{Version: wireVersion, Epoch: 4, At: 99}).encode(es)
	r, got, err := decodeRecord(5, data)
	if err != nil || r.Epoch != 4 || len(got) != 2 {
		t.Fatal(r, got, err)
	}
	for i, in := range ins {
		in.At, in.Ref = 99, sched.Ref{Seq: 5, Pos: uint32(i)}
		if a, b := fmt.Sprintf("%+v %+v", in, in.Done), fmt.Sprintf("%+v %+v", got[i], got[i].Done); in.Done != nil && a[len(a)-80:] != b[len(b)-80:] {
			t.Errorf("input %d came back as\n%s, not\n%s", i, b, a)
		}
		if got[i].From != in.From || got[i].Num != in.Num || got[i].At != 99 || got[i].Ref != in.Ref {
			t.Errorf("input %d: %+v", i, got[i])
		}
	}
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 0x10
		if _, _, err := decodeRecord(5, bad); fault.KindOf(err) != fault.Corrupt {
			t.Fatalf("a changed byte %d was not noticed: %v", i, err)
		}
	}
	for i := range data {
		if _, _, err := decodeRecord(5, data[:i]); err == nil {
			t.Fatalf("a record cut at %d was not noticed", i)
		}
	}
}

// TestCompaction purges the log after a job and goes on from there after a
// restart, with the same sessions.
func TestCompaction(t *testing.T) {
	const n = 500
	mux, pattern := objects(t, n)
	r := newRig(t, mux, 0)
	r.opt.compactBytes = 1
	s := r.scheduler()
	w, _ := r.worker("w")
	c := r.client()
	for i := range 4 {
		j, err := c.Map(t.Context(), &work.Spec{Inputs: []string{pattern}, Func: "lines"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		take(t, j, n, func(seen int) {
			if i == 2 && seen == n/2 {
				s.cancel(errKilled)
				<-s.done
				s = r.scheduler()
			}
		})
		<-r.st.log.(*memLog).purged
	}
	if first, last, err := r.st.log.Bounds(t.Context()); err != nil || first != last {
		t.Errorf("the log is of %d to %d, %v; want one record", first, last, err)
	}
	if w.sessions.Load() != 1 {
		t.Errorf("the worker had %d sessions", w.sessions.Load())
	}
}
