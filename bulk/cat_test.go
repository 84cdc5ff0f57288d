package bulk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

// cat prints args and returns what came out.
func (w *world) cat(args []string, opts *bulk.Options) ([]byte, bulk.Summary, error) {
	var out bytes.Buffer
	ctx := context.Background()
	sum, err := bulk.Cat(ctx, &out, bulk.Expand(ctx, w.Mux, args, false), opts)
	return out.Bytes(), sum, err
}

// A mean store leaves out what others tell about their objects.
type mean struct {
	driver.FS
	noSize, noVersion bool
}

func (m mean) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	r, err := m.FS.Open(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	e := r.Entry()
	if m.noSize {
		e.Size = -1
	}
	if m.noVersion {
		e.Version = ""
	}
	return meanReader{r, e}, nil
}

type meanReader struct {
	driver.Reader
	entry driver.Entry
}

func (r meanReader) Entry() driver.Entry { return r.entry }

// Objects of every size come out in order, whatever the store tells, however
// small the window and however many are fetched at once.
func TestCatOrder(t *testing.T) {
	sizes := []int{0, 1, 4096, 128<<10 - 1, 128 << 10, 128<<10 + 1, 1 << 20, 1<<20 + 1, 5<<20 + 3, 9 << 20, 7}
	for _, m := range []mean{{}, {noVersion: true}, {noSize: true}} {
		for _, o := range []bulk.Options{{}, {Jobs: 1}, {Jobs: 3, Window: 200 << 10}} {
			name := fmt.Sprintf("noSize=%v noVersion=%v jobs=%d window=%d", m.noSize, m.noVersion, o.Jobs, o.Window)
			t.Run(name, func(t *testing.T) {
				w := newWorld(t)
				w.wrap = func(_ string, d driver.FS) driver.FS { m.FS = d; return m }
				var want []byte
				var args []string
				for i, n := range sizes {
					url := fmt.Sprintf("mem://s/t/%02d", i)
					w.write(url, pattern(n, byte(i)))
					args = append(args, url)
					want = append(want, pattern(n, byte(i))...)
				}
				for _, args := range [][]string{{"mem://s/t/*"}, args} {
					opts := o
					opts.Progress = new(bulk.Progress)
					got, sum, err := w.cat(args, &opts)
					if err != nil || !bytes.Equal(got, want) {
						t.Fatalf("%d bytes and %v, want %d; same: %v", len(got), err, len(want), bytes.Equal(got, want))
					}
					if sum.Done != int64(len(sizes)) || sum.Bytes != int64(len(want)) {
						t.Errorf("summary %+v", sum)
					}
					if s := opts.Progress.Snapshot(); s.Bytes != int64(len(want)) || !s.Complete {
						t.Errorf("progress %+v", s)
					}
				}
			})
		}
	}
}

// At 20 ms a request, objects come at the speed of the concurrency: in
// virtual time, so that the machine does not matter.
func TestCatConcurrency(t *testing.T) {
	for _, literal := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const n, jobs, latency = 10000, 256, 20 * time.Millisecond
			w := newWorld(t)
			args := names("mem://s/t", n)
			for _, url := range args {
				w.write(url, pattern(4096, 1))
			}
			if !literal {
				args = []string{"mem://s/**"}
			}
			w.faults["s"].Add(&faultfs.Rule{Op: "open", Delay: latency})
			start := time.Now()
			got, sum, err := w.cat(args, &bulk.Options{Jobs: jobs})
			if err != nil || sum.Done != n || len(got) != n*4096 {
				t.Fatalf("%d bytes, %+v, %v", len(got), sum, err)
			}
			ideal := latency * ((n + jobs - 1) / jobs)
			if took := time.Since(start); took > ideal*3/2 {
				t.Errorf("took %v of virtual time; %d rounds of %v are %v", took, (n+jobs-1)/jobs, latency, ideal)
			}
		})
	}
}

// inFlight counts the bytes that readers have handed out and the sink has
// not had.
type inFlight struct {
	driver.FS
	read *atomic.Int64
}

func (f inFlight) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	r, err := f.FS.Open(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	return countingReader{r, f.read}, nil
}

type countingReader struct {
	driver.Reader
	read *atomic.Int64
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.read.Add(int64(n))
	return n, err
}

// However slow the reader of the output, no more than the window is read
// ahead of it.
func TestCatWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var read atomic.Int64
		w.wrap = func(_ string, d driver.FS) driver.FS { return inFlight{d, &read} }
		for i := range 40 {
			w.write(fmt.Sprintf("mem://s/t/%02d", i), pattern(300<<10, byte(i)))
		}
		w.write("mem://s/t/05x", pattern(20<<20, 9))
		const window = 2 << 20
		var wrote, most int64
		sink := writerFunc(func(p []byte) (int, error) {
			synctest.Wait() // everything that can be read ahead is
			most = max(most, read.Load()-wrote)
			wrote += int64(len(p))
			return len(p), nil
		})
		sum, err := bulk.Cat(t.Context(), sink, bulk.Expand(t.Context(), w.Mux, []string{"mem://s/**"}, false), &bulk.Options{Window: window})
		if err != nil || sum.Done != 41 {
			t.Fatalf("%+v, %v", sum, err)
		}
		if most > window || most < window/2 {
			t.Errorf("%d bytes were ahead of the sink at most, want up to %d and most of it used", most, window)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// An object that cannot be read is left out; one that breaks off ends the
// output there, and says so.
func TestCatFailures(t *testing.T) {
	denied := fault.New("", "", fault.Permission, nil)
	broke := fault.New("", "", fault.Unavailable, io.ErrClosedPipe)
	big := pattern(6<<20, 1)
	for _, c := range []struct {
		name  string
		rule  faultfs.Rule
		want  []byte
		done  int64
		kind  fault.Kind
		whole bool // the run came to its end
	}{
		{"open", faultfs.Rule{Op: "open", Path: "t/b", Err: denied}, concat([]byte("a"), []byte("c")), 2, fault.Permission, true},
		{"small body", faultfs.Rule{Op: "read", Path: "t/b", N: 9, Err: broke}, concat([]byte("a"), []byte("c")), 2, fault.Unavailable, true},
		{"small body without a word", faultfs.Rule{Op: "read", Path: "t/b", N: 9, Err: io.EOF}, concat([]byte("a"), []byte("c")), 2, fault.Unavailable, true},
		{"later range", faultfs.Rule{Op: "read", Path: "t/b", Skip: 1, N: 9, Err: broke}, concat([]byte("a"), big[:1<<20]), 1, fault.Unavailable, false},
		{"replaced meanwhile", faultfs.Rule{Op: "open", Path: "t/b", Skip: 1, Err: fault.New("", "", fault.Changed, nil)}, concat([]byte("a"), big[:1<<20]), 1, fault.Changed, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.write("mem://s/t/a", []byte("a"))
			w.write("mem://s/t/b", big)
			w.write("mem://s/t/c", []byte("c"))
			w.faults["s"].Add(&c.rule)
			got, sum, err := w.cat([]string{"mem://s/t/*"}, nil)
			if !bytes.Equal(got, c.want) {
				t.Errorf("%d bytes came out, want %d", len(got), len(c.want))
			}
			var items *bulk.ItemsError
			if fault.KindOf(err) != c.kind || errors.As(err, &items) != c.whole {
				t.Errorf("error %v of kind %v", err, fault.KindOf(err))
			}
			if sum.Done != c.done || sum.Failed != 1 {
				t.Errorf("summary %+v", sum)
			}
		})
	}
}

// A version is pinned for real: an object that is replaced between its head
// and the rest is never mixed.
func TestCatNeverMixesVersions(t *testing.T) {
	w := newWorld(t)
	old := pattern(6<<20, 1)
	w.write("mem://s/b", old)
	first := true
	var out bytes.Buffer
	sink := writerFunc(func(p []byte) (int, error) {
		if first {
			first = false
			w.write("mem://s/b", pattern(6<<20, 2))
		}
		return out.Write(p)
	})
	_, err := bulk.Cat(t.Context(), sink, bulk.Expand(t.Context(), w.Mux, []string{"mem://s/b"}, false), nil)
	if fault.KindOf(err) != fault.Changed || !bytes.HasPrefix(old, out.Bytes()) {
		t.Errorf("error %v; what came is of the old version: %v", err, bytes.HasPrefix(old, out.Bytes()))
	}
}

// The error of the sink ends the run and comes back as it is.
func TestCatSink(t *testing.T) {
	w := newWorld(t)
	w.seed(names("mem://s/t", 500)...)
	w.write("mem://s/t/0003", pattern(9<<20, 1))
	full := errors.New("sink is full")
	left := 4
	sum, err := bulk.Cat(t.Context(), writerFunc(func(p []byte) (int, error) {
		if left--; left <= 0 {
			return 0, full
		}
		return len(p), nil
	}), bulk.Expand(t.Context(), w.Mux, []string{"mem://s/**"}, false), nil)
	if err != full || sum.Done != 3 || sum.Failed != 0 || sum.Canceled == 0 {
		t.Errorf("%+v, %v", sum, err)
	}
}

func TestCatCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.seed(names("mem://s/t", 50)...)
		for _, path := range names("t", 50)[10:] {
			w.faults["s"].Add(&faultfs.Rule{Op: "open", Path: path, Delay: time.Hour})
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		because := errors.New("enough")
		start := time.Now()
		time.AfterFunc(time.Second, func() { cancel(because) })
		sum, err := bulk.Cat(ctx, io.Discard, bulk.Expand(ctx, w.Mux, []string{"mem://s/**"}, false), &bulk.Options{Jobs: 4})
		if err != because || sum.Done != 10 || sum.Failed != 0 || sum.Canceled == 0 {
			t.Errorf("%+v, %v", sum, err)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it took %v to stop", took)
		}
	})
}

func TestExpand(t *testing.T) {
	w := newWorld(t)
	w.seed("mem://s/a", "mem://s/b", "mem://s/d/c", "mem://s/[x]")
	for _, c := range []struct {
		args []string
		raw  bool
		want []string
		kind fault.Kind
	}{
		{args: []string{"mem://s/b", "mem://s/?"}, want: []string{"mem://s/b", "mem://s/a", "mem://s/b"}},
		{args: []string{"mem://s/absent"}, want: []string{"mem://s/absent"}},
		{args: []string{`mem://s/\[x\]`}, want: []string{"mem://s/[x]"}},
		{args: []string{"mem://s/[x]"}, raw: true, want: []string{"mem://s/[x]"}},
		{args: []string{"mem://s/a", "mem://s/q*"}, want: []string{"mem://s/a"}, kind: fault.NotExist},
		{args: []string{"mem://s/d/"}, kind: fault.IsDir},
		{args: []string{"mem://s/[x"}, kind: fault.Invalid},
		{args: []string{"what://s/x"}, kind: fault.Invalid},
		{args: []string{""}, kind: fault.Invalid},
	} {
		var got []string
		var err error
		for o, e := range bulk.Expand(t.Context(), w.Mux, c.args, c.raw) {
			if err = e; e == nil {
				got = append(got, o.URL())
			}
		}
		if fault.KindOf(err) != c.kind {
			t.Errorf("%q: %v, want kind %v", c.args, err, c.kind)
		}
		diff(t, fmt.Sprint(c.args), got, c.want)
	}
}

func BenchmarkCat(b *testing.B) {
	w := newWorld(b)
	const n = 10000
	for _, url := range names("mem://s/t", n) {
		w.write(url, pattern(4096, 1))
	}
	b.SetBytes(n * 4096)
	b.ReportAllocs()
	for b.Loop() {
		ctx := context.Background()
		if _, err := bulk.Cat(ctx, io.Discard, bulk.Expand(ctx, w.Mux, []string{"mem://s/**"}, false), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// Parts of objects, small and large, in one order.
func TestCatRange(t *testing.T) {
	w := newWorld(t)
	big, small := pattern(3<<20, 1), pattern(1000, 2)
	w.write("mem://s/a", big)
	w.write("mem://s/b", small)
	cut := func(b []byte, off, n int) []byte {
		if off < 0 {
			off = max(len(b)+off, 0)
		}
		b = b[min(off, len(b)):]
		if n > 0 {
			b = b[:min(n, len(b))]
		}
		return b
	}
	for _, c := range [][2]int{{0, 10}, {5, 0}, {500, 2 << 20}, {-10, 0}, {-2000, 0}, {-2000, 100}, {2000, 5}, {-2 << 20, 0}, {0, 0}} {
		for _, args := range [][]string{{"mem://s/*"}, {"mem://s/a", "mem://s/b"}} {
			var out bytes.Buffer
			sum, err := bulk.CatRange(t.Context(), &out, bulk.Expand(t.Context(), w.Mux, args, false), int64(c[0]), int64(c[1]), nil)
			want := concat(cut(big, c[0], c[1]), cut(small, c[0], c[1]))
			if err != nil || sum.Done != 2 || sum.Bytes != int64(len(want)) || !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%v of %v: %d bytes, want %d, %+v, %v", c, args, out.Len(), len(want), sum, err)
			}
		}
	}
	if _, err := bulk.CatRange(t.Context(), io.Discard, bulk.Expand(t.Context(), w.Mux, []string{"mem://s/a"}, false), 0, -1, nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a negative length: %v", err)
	}
}

// A part that breaks off is no shorter part.
func TestCatRangeBreaksOff(t *testing.T) {
	for _, n := range []int64{100, 2 << 20} {
		w := newWorld(t)
		w.write("mem://s/a", pattern(3<<20, 1))
		w.faults["s"].Add(&faultfs.Rule{Op: "read", N: 50, Err: fault.New("", "", fault.Unavailable, io.ErrUnexpectedEOF)})
		_, err := bulk.CatRange(t.Context(), io.Discard, bulk.Expand(t.Context(), w.Mux, []string{"mem://s/a"}, false), 10, n, nil)
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
