package work_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/cluster/peer"
	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

// reduceOver splits urls over three workers, a few leases each, and merges
// as the scheduler does: on each worker, then over the network in pairs.
func reduceOver(t *testing.T, b *bench, spec work.Spec, urls []string) string {
	t.Helper()
	type worker struct {
		*work.Runner
		store    *peer.Store
		addr     string
		partials []sched.Source
	}
	workers := make([]worker, 3)
	for i := range workers {
		store, err := peer.NewStore(&peer.StoreOptions{Dir: b.dir, FileBytes: 1000})
		if err != nil {
			t.Fatal(err)
		}
		srv, err := peer.NewServer(store, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := peer.NewClient(&peer.ClientOptions{Own: store, OwnAddr: srv.Addr()})
		r := work.NewRunner(work.Options{Mux: b.mux, Store: store, Peers: c, TempDir: b.dir})
		workers[i] = worker{Runner: r, store: store, addr: srv.Addr()}
		defer func() { r.Close(); c.Close(); srv.Close(); store.Close() }()
	}
	l := b.lease(spec, urls...)
	all := l.Set.Clone()
	at, done := 0, sched.Set{}
	for n := 0; len(all) > 0; n++ {
		part := &sched.Lease{Job: "j", ID: uint64(n), Spec: l.Spec, Set: all.TakeFirst(uint64(1 + n%4))}
		for range part.Set.Len() {
			part.Names.Append(l.Names.At(at))
			at++
		}
		w := &workers[n*5%3]
		w.Run(t.Context(), part, func(d *sched.Done) {
			if d.FoldErr != nil || len(d.Failed) > 0 || !d.Final || d.Partial == nil {
				t.Fatalf("report %+v, %+v", d, d.FoldErr)
			}
			for _, it := range d.Items {
				if it.Name != nil || it.Value != nil {
					t.Errorf("an item with more than its range: %+v", it)
				}
				done.Add(it.Range)
			}
			w.partials = append(w.partials, sched.Source{Key: d.Partial.Key, Size: d.Partial.Size})
		})
	}
	if !slices.Equal(done, l.Set) {
		t.Errorf("folded %v, want %v", done, l.Set)
	}
	merge := func(w *worker, final bool, sources ...sched.Source) *sched.Merged {
		m := w.RunMerge(t.Context(), &sched.Merge{Job: "j", ID: 3, Sources: sources, Final: final, Spec: l.Spec})
		if m.Err != nil || m.Missing != nil || m.Partial == nil {
			t.Fatalf("merge: %+v, %+v", m, m.Err)
		}
		return m
	}
	var tree []sched.Source
	for i := range workers {
		w := &workers[i]
		if len(w.partials) > 0 {
			p := merge(w, false, w.partials...).Partial
			tree = append(tree, sched.Source{Key: p.Key, Size: p.Size, Addr: w.addr})
		}
	}
	last := merge(&workers[0], false, tree...).Partial
	m := merge(&workers[0], true, sched.Source{Key: last.Key})
	if m.Partial.Key == "" {
		return string(m.Value)
	}
	data, err := workers[0].store.Get(m.Partial.Key)
	if err != nil || m.Value != nil || int64(len(data)) != m.Partial.Size {
		t.Errorf("the result: %d bytes, %+v, %v", len(data), m.Partial, err)
	}
	return string(data)
}

func TestReduce(t *testing.T) {
	b := newBench(t, work.Options{})
	var urls []string
	words := map[string]int{}
	var sum int
	var lines, parts []string
	for i := range 40 {
		text := fmt.Sprintf("w%d common w%d\nline %d\n", i%7, i%3, i)
		for _, w := range strings.Fields(text) {
			words[w]++
		}
		lines = append(lines, strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")...)
		parts = append(parts, text)
		sum += len(text)
		urls = append(urls, b.put(fmt.Sprintf("f%02d", i), text)...)
	}
	keys := slices.SortedFunc(maps.Keys(words), func(x, y string) int {
		if words[x] != words[y] {
			return words[y] - words[x]
		}
		return strings.Compare(x, y)
	})
	var top strings.Builder
	for _, k := range keys[:5] {
		fmt.Fprintf(&top, "%d\t%s\n", words[k], k)
	}
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\n") + "\n"
	}
	slices.Sort(lines)
	for _, tc := range []struct {
		spec work.Spec
		want string
	}{
		{work.Spec{Func: "bytes", Reduce: "sum"}, fmt.Sprintln(sum)},
		{work.Spec{Func: "wordcount", Reduce: "top:5"}, top.String()},
		{work.Spec{Func: "cat", Reduce: "sort"}, strings.Join(lines, "")},
		{work.Spec{Func: "cat", Reduce: "concat"}, strings.Join(parts, "")},
		{work.Spec{Command: []string{"cat"}, Reduce: "concat", Batch: 2}, strings.Join(parts, "")},
		{work.Spec{Command: []string{"wc", "-c"}, Reduce: "sum"}, fmt.Sprintln(sum)},
		{work.Spec{Func: "bytes", ReduceCommand: "awk '{s+=$1} END {print s}'"}, fmt.Sprintln(sum)},
		{work.Spec{Func: "cat", ReduceCommand: "LC_ALL=C sort"}, strings.Join(lines, "")},
	} {
		if got := reduceOver(t, b, tc.spec, urls); got != tc.want {
			t.Errorf("%+v: %.300q, want %.300q", tc.spec, got, tc.want)
		}
	}
}

// TestReduceLarge has partials and a result that do not travel inline.
func TestReduceLarge(t *testing.T) {
	b := newBench(t, work.Options{})
	var urls, parts []string
	for i := range 12 {
		text := strings.Repeat(fmt.Sprintf("line %d\n", i), 20_000)
		parts = append(parts, text)
		urls = append(urls, b.put(fmt.Sprintf("f%02d", i), text)...)
	}
	if got := reduceOver(t, b, work.Spec{Func: "cat", Reduce: "concat"}, urls); got != strings.Join(parts, "") {
		t.Errorf("concat of %d bytes is wrong", len(got))
	}
}

func TestReduceWithFailures(t *testing.T) {
	b := newBench(t, work.Options{})
	u := append(b.put("a", "x", "b", "yy"), b.root+"none")
	r := b.run(t.Context(), b.lease(work.Spec{Func: "bytes", Reduce: "sum"}, u...))
	if len(r.failed) != 1 || r.final.Partial == nil || r.final.FoldErr != nil || r.ranges.Len() != 3 {
		t.Errorf("%+v", r.final)
	}
	if data, _ := b.store.Get(r.final.Partial.Key); string(data) != "3\n" {
		t.Errorf("partial %q", data)
	}
	r = b.run(t.Context(), b.lease(work.Spec{Func: "bytes", Reduce: "sum"}, b.root+"none"))
	if len(r.failed) != 1 || r.final.Partial != nil || len(r.final.Items) > 0 {
		t.Errorf("nothing to fold: %+v", r.final)
	}
	r = b.run(t.Context(), b.lease(work.Spec{Func: "cat", Reduce: "sum"}, u[0]))
	if e := r.final.FoldErr; e == nil || e.Kind != fault.UserError || !strings.Contains(e.Text, u[0]) || len(r.final.Items) > 0 {
		t.Errorf("what is no number: %+v", r.final)
	}
	r = b.run(t.Context(), b.lease(work.Spec{Func: "cat", ReduceCommand: "echo why >&2; exit 7"}, u[0]))
	if e := r.final.FoldErr; e == nil || e.Exit != 7 || string(e.Stderr) != "why\n" || r.final.Partial != nil {
		t.Errorf("a reduce command that fails: %+v", r.final)
	}
}

func TestMergeMissing(t *testing.T) {
	b := newBench(t, work.Options{Peers: peer.NewClient(&peer.ClientOptions{Stall: time.Second})})
	spec, _ := (&work.Spec{Inputs: []string{"x"}, Func: "bytes", Reduce: "sum"}).Encode()
	store, err := peer.NewStore(&peer.StoreOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	up, err := peer.NewServer(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	gone, err := peer.NewServer(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	b.store.Put("mine", []byte("1\n"))
	store.Put("theirs", []byte("2\n"))
	store.Put("corrupt", []byte("x\n"))
	merge := func(sources ...sched.Source) *sched.Merged {
		return b.RunMerge(t.Context(), &sched.Merge{Job: "j", ID: 1, Sources: sources, Spec: spec, Final: true})
	}
	mine, theirs := sched.Source{Key: "mine"}, sched.Source{Key: "theirs", Addr: up.Addr()}
	if m := merge(mine, theirs); string(m.Value) != "3\n" || m.Partial == nil || m.Partial.Key != "" || m.Partial.Size != 2 {
		t.Errorf("%+v", m)
	}
	m := merge(mine, sched.Source{Key: "none"}, theirs, sched.Source{Key: "absent", Addr: up.Addr()}, sched.Source{Key: "dead", Addr: gone.Addr()})
	if !slices.Equal(m.Missing, []string{"none", "absent", "dead"}) || m.Partial != nil || m.Err != nil {
		t.Errorf("%+v", m)
	}
	if m := merge(mine, sched.Source{Key: "corrupt", Addr: up.Addr()}); m.Err == nil || m.Err.Kind != fault.Corrupt {
		t.Errorf("a partial that is none: %+v", m)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m := b.RunMerge(ctx, &sched.Merge{Sources: []sched.Source{theirs}, Spec: spec}); m.Err == nil || m.Err.Kind != fault.Canceled {
		t.Errorf("canceled: %+v", m)
	}
}

func TestCancelWhileReading(t *testing.T) {
	b := newBench(t, work.Options{Slots: 1})
	u := b.put("a", "x", "b", "y", "c", "z")
	for _, spec := range []work.Spec{{Func: "block"}, {Func: "block", Reduce: "sum"}} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		r := b.run(ctx, b.lease(spec, u...))
		cancel()
		if len(r.ranges) > 0 || r.final.Partial != nil || r.final.FoldErr != nil {
			t.Errorf("a canceled lease reported %+v", r.final)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if r := b.run(canceled, b.lease(work.Spec{Func: "bytes"}, u...)); len(r.ranges) > 0 {
		t.Errorf("a lease canceled before it began reported %v", r.ranges)
	}
}
