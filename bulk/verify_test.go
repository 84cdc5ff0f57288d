package bulk_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"sync/atomic"
	"testing"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

// rotten stores one bit wrong of what is written below a directory.
type rotten struct{ driver.FS }

func (r rotten) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	w, err := r.FS.Create(ctx, path, opts)
	return &rottenWriter{w}, err
}

type rottenWriter struct{ driver.Writer }

func (w *rottenWriter) Write(p []byte) (int, error) {
	b := bytes.Clone(p)
	if len(b) > 0 {
		b[len(b)/2] ^= 4
	}
	return w.Writer.Write(b)
}

// Copies of the right size with a wrong bit pass without Verify, and fail
// with it.
func TestVerifyFindsAWrongBit(t *testing.T) {
	for _, verify := range []bool{false, true} {
		w := newWorld(t)
		w.wrap = func(name string, d driver.FS) driver.FS {
			if name == "d" {
				return rotten{d}
			}
			return d
		}
		w.seed("mem://s/t/a", "mem://s/t/b")
		sum, ends, err := w.copyTree(t.Context(), "mem://s/t/", "mem://d/u", bulk.Options{Verify: verify})
		want := fault.None
		if verify {
			want = fault.Corrupt
		}
		if got := fault.KindOf(ends["mem://s/t/a"].Err); got != want || (err != nil) != verify {
			t.Errorf("verify %v: %v, %+v", verify, err, sum)
		}
	}
}

// A move whose copy is wrong keeps its source.
func TestVerifyKeepsTheSourceOfAMove(t *testing.T) {
	w := newWorld(t)
	w.wrap = func(name string, d driver.FS) driver.FS {
		if name == "d" {
			return rotten{d}
		}
		return d
	}
	w.seed("mem://s/t/a")
	if _, _, err := w.move([]string{"mem://s/t/"}, "mem://d/u", &bulk.Options{Verify: true}); fault.KindOf(err) != fault.Corrupt {
		t.Errorf("error %v", err)
	}
	diff(t, "source", w.tree("mem://s/t"), map[string]string{"a": "mem://s/t/a"})
}

func TestVerifyGoodCopies(t *testing.T) {
	dir := t.TempDir()
	for _, dst := range []string{"mem://d/u", "mem://s/u", dir} {
		w := newWorld(t)
		w.seed(names("mem://s/t", 20)...)
		sum, _, err := w.copyTree(t.Context(), "mem://s/t/", dst, bulk.Options{Verify: true})
		if err != nil || sum.Done != 20 {
			t.Errorf("%s: %+v, %v", dst, sum, err)
		}
	}
}

// telling gives digests as versions, as S3 does, and counts what is opened.
type telling struct {
	driver.FS
	opens *atomic.Int64
	lies  bool
}

func (s telling) tell(ctx context.Context, e driver.Entry, err error) (driver.Entry, error) {
	if err != nil || e.Kind != driver.File {
		return e, err
	}
	r, err := s.FS.Open(ctx, e.Path, driver.OpenOptions{})
	if err != nil {
		return e, err
	}
	defer r.Close()
	h := md5.New()
	_, err = io.Copy(h, r)
	if s.lies {
		_, _ = h.Write([]byte("encrypted"))
	}
	e.Version = `"` + hex.EncodeToString(h.Sum(nil)) + `"`
	return e, err
}

func (s telling) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	w, err := s.FS.Create(ctx, path, opts)
	return tellingWriter{w, s}, err
}

type tellingWriter struct {
	driver.Writer
	s telling
}

func (w tellingWriter) Commit(ctx context.Context) (driver.Entry, error) {
	e, err := w.Writer.Commit(ctx)
	return w.s.tell(ctx, e, err)
}

func (s telling) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	s.opens.Add(1)
	opts.Version = ""
	return s.FS.Open(ctx, path, opts)
}

// What the store tells spares reading a copy back; when it tells something
// else than the digest, the copy is read.
func TestVerifyTrustsEqualDigestsOnly(t *testing.T) {
	for lies, want := range map[bool]int64{false: 0, true: 3} {
		w := newWorld(t)
		var opens atomic.Int64
		w.wrap = func(name string, d driver.FS) driver.FS {
			if name == "d" {
				return telling{d, &opens, lies}
			}
			return d
		}
		w.seed(names("mem://s/t", 3)...)
		sum, _, err := w.copyTree(t.Context(), "mem://s/t/", "mem://d/u", bulk.Options{Verify: true})
		if err != nil || sum.Done != 3 || opens.Load() != want {
			t.Errorf("lies %v: %+v, %v, %d copies were read, want %d", lies, sum, err, opens.Load(), want)
		}
	}
}

// large is over the size from which objects are copied in parts.
const large = 70<<20 + 123

// A large object goes in parts of one version, side by side, whole or not at
// all, whatever breaks.
func TestCopyInParts(t *testing.T) {
	data := pattern(large, 9)
	run := func(rule *faultfs.Rule, opts bulk.Options) (*world, bulk.Snapshot, error) {
		w := newWorld(t)
		w.write("mem://s/t/big", data)
		w.seed("mem://d/other")
		before := w.faults["s"].Calls("open")
		if rule != nil {
			w.faults["s"].Add(rule)
		}
		var prog bulk.Progress
		opts.Progress = &prog
		_, _, err := w.copyTree(t.Context(), "mem://s/t/", "mem://d/u", opts)
		w.faults["s"].Clear()
		if n := w.faults["s"].Calls("open") - before; rule == nil && n != 9 {
			t.Errorf("%d requests, want 9", n)
		}
		return w, prog.Snapshot(), err
	}
	for _, window := range []int64{0, 1, 20 << 20} {
		w, s, err := run(nil, bulk.Options{Verify: window == 0, Window: max(window, 8<<20)})
		if err != nil || w.tree("mem://d/u")["big"] != string(data) || s.Bytes != large {
			t.Errorf("window %d: %v, %d bytes counted", window, err, s.Bytes)
		}
	}
	for _, i := range []int{0, 4, 8} {
		w, s, err := run(&faultfs.Rule{Op: "read", Skip: i, Times: 1, N: 1000, Err: fault.New("", "", fault.Unavailable, io.ErrClosedPipe)}, bulk.Options{})
		if err == nil || len(w.tree("mem://d/u")) != 0 || s.Bytes != 0 || w.faults["d"].Calls("abort") != 1 {
			t.Errorf("read %d fails: %v, %d bytes counted, %q is there", i, err, s.Bytes, keys(w.tree("mem://d/u")))
		}
	}
}

// A large object that is replaced meanwhile is an error, not a mixture.
func TestCopyInPartsOfOneVersion(t *testing.T) {
	w := newWorld(t)
	old, new := pattern(large, 1), pattern(large, 2)
	w.write("mem://s/t/big", old)
	w.seed("mem://d/other")
	plan, err := bulk.PlanCopy(t.Context(), w.Mux, []string{"mem://s/t/"}, "mem://d/u", &bulk.PlanOptions{Recursive: true})
	if err != nil {
		t.Fatal(err)
	}
	replaced := func(yield func(bulk.Step, error) bool) {
		for st, err := range plan {
			w.write("mem://s/t/big", new)
			if !yield(st, err) {
				return
			}
		}
	}
	if _, err := bulk.Copy(t.Context(), replaced, nil); fault.KindOf(err) != fault.Changed || len(w.tree("mem://d/u")) != 0 {
		t.Errorf("%v, %q is there", err, keys(w.tree("mem://d/u")))
	}
}
