package retryfs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
	"github.com/leat-dev/leat/fsys/layer/retryfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		return drivertest.Harness{FS: retryfs.New(memfs.New(), nil)}
	})
}

// Every third operation of each kind fails once, listings after 7 entries,
// bodies after 1,000 bytes: nobody notices.
func TestConformanceOverTrouble(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		drv, layer := faultfs.New(memfs.New())
		for _, op := range []string{"stat", "list", "open", "read", "create", "remove", "copy"} {
			for skip := 2; skip < 3000; skip += 3 {
				layer.Add(&faultfs.Rule{Op: op, Skip: skip, Times: 1, N: int64(map[string]int{"list": 7, "read": 1000}[op]),
					Err: fault.New("", "", fault.Unavailable, nil)})
			}
		}
		return drivertest.Harness{FS: retryfs.New(drv, &retryfs.Options{Base: time.Nanosecond, Attempts: 100})}
	})
}

// stack returns a file system with retries over rules over a memory store.
func stack(t *testing.T, opts *retryfs.Options, rules ...*faultfs.Rule) (f *fsys.FS, layer *faultfs.FS, below *fsys.FS) {
	t.Helper()
	mem := memfs.New()
	drv, layer := faultfs.New(mem, rules...)
	return fsys.New(retryfs.New(drv, opts), "mem://t"), layer, fsys.New(mem, "mem://t")
}

func write(t *testing.T, f *fsys.FS, path string, data []byte) {
	t.Helper()
	if _, err := f.WriteFile(t.Context(), path, data); err != nil {
		t.Fatal(err)
	}
}

func unavailable() error { return fault.New("", "", fault.Unavailable, errors.New("down")) }

func TestBounds(t *testing.T) {
	for name, c := range map[string]struct {
		opts     retryfs.Options
		err      error
		attempts int
		atMost   time.Duration
	}{
		"default":   {retryfs.Options{}, unavailable(), 5, 750 * time.Millisecond},
		"attempts":  {retryfs.Options{Attempts: 3}, unavailable(), 3, 150 * time.Millisecond},
		"once":      {retryfs.Options{Attempts: -1}, unavailable(), 1, 0},
		"capped":    {retryfs.Options{Attempts: 10, Base: time.Second, Cap: time.Second}, unavailable(), 10, 9 * time.Second},
		"permanent": {retryfs.Options{}, fault.New("", "", fault.Permission, nil), 1, 0},
		"unknown":   {retryfs.Options{}, errors.New("?"), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, layer, _ := stack(t, &c.opts, &faultfs.Rule{Op: "stat", Err: c.err})
				start := time.Now()
				_, err := f.Stat(t.Context(), "x")
				if fault.KindOf(err) != fault.KindOf(c.err) {
					t.Errorf("error %v, want that of the last try", err)
				}
				if got := layer.Calls("stat"); got != c.attempts {
					t.Errorf("%d tries, want %d", got, c.attempts)
				}
				if took := time.Since(start); took > c.atMost {
					t.Errorf("took %v, want at most %v", took, c.atMost)
				}
			})
		})
	}
}

func TestTotalBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := &retryfs.Options{Attempts: 1000, Total: 10 * time.Second}
		f, layer, _ := stack(t, opts, &faultfs.Rule{Op: "stat", Err: unavailable()})
		start := time.Now()
		if _, err := f.Stat(t.Context(), "x"); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took > opts.Total || layer.Calls("stat") < 3 {
			t.Errorf("%d tries in %v", layer.Calls("stat"), took)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fault.Error{Kind: fault.Throttled, RetryAfter: 3 * time.Second}
		var events []retryfs.Event
		opts := &retryfs.Options{OnRetry: func(e retryfs.Event) { events = append(events, e) }}
		f, _, below := stack(t, opts, &faultfs.Rule{Op: "stat", Times: 2, Err: slow})
		write(t, below, "x", nil)
		start := time.Now()
		if _, err := f.Stat(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 6*time.Second || took > 7*time.Second {
			t.Errorf("took %v, want the 6 s that were asked for", took)
		}
		if len(events) != 2 || events[1].Attempt != 2 || events[1].Op != "stat" || events[1].Path != "x" {
			t.Errorf("events %+v", events)
		}
		// More than the bound is not waited for at all.
		slow = &fault.Error{Kind: fault.Throttled, RetryAfter: time.Hour}
		f, _, _ = stack(t, nil, &faultfs.Rule{Op: "stat", Err: slow})
		start = time.Now()
		if _, err := f.Stat(t.Context(), "x"); fault.KindOf(err) != fault.Throttled || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestCancelEndsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fault.Error{Kind: fault.Throttled, RetryAfter: 15 * time.Second}
		f, _, _ := stack(t, nil, &faultfs.Rule{Err: slow})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := f.Stat(ctx, "x")
		if fault.KindOf(err) != fault.Canceled || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		for i, err := range f.RemoveBatch(ctx, []string{"a", "b"}) {
			if fault.KindOf(err) == fault.None {
				t.Errorf("remove %d succeeded", i)
			}
		}
	})
}

func TestListGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, layer, below := stack(t, nil, &faultfs.Rule{Op: "list", Times: 40, N: 10, Err: unavailable()})
		var want []string
		for i := range 300 {
			p := fmt.Sprintf("d/%03d", i)
			want = append(want, p)
			write(t, below, p, nil)
		}
		var got []string
		for e, err := range f.List(t.Context(), "", &fsys.ListOptions{Recursive: true}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Path)
		}
		// 30 breaks in all, far more than the tries of one trouble.
		if !slices.Equal(got, want) || layer.Calls("list") < 30 {
			t.Errorf("%d entries in %d listings, want %d", len(got), layer.Calls("list"), len(want))
		}
		// Directories are not given twice.
		layer.Clear()
		layer.Add(&faultfs.Rule{Op: "list", Times: 1, N: 1, Err: unavailable()})
		n := 0
		for _, err := range f.List(t.Context(), "", nil) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("one directory was listed %d times", n)
		}
	})
}

// inclusive resumes at the entry named, not behind it.
type inclusive struct{ driver.FS }

func (i inclusive) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	opts.After = ""
	return i.FS.List(ctx, dir, opts)
}

func TestListNeverRepeatsAnEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memfs.New()
		for _, p := range []string{"a", "b/x", "c"} {
			write(t, fsys.New(mem, ""), p, nil)
		}
		drv, _ := faultfs.New(inclusive{mem}, &faultfs.Rule{Op: "list", Times: 1, N: 2, Err: unavailable()})
		var got []string
		for e, err := range retryfs.New(drv, nil).List(t.Context(), "", driver.ListOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Path)
		}
		if !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("listed %q", got)
		}
	})
}

func TestBodyGoesOn(t *testing.T) {
	data := make([]byte, 10_000)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	for _, c := range []struct {
		off, length int64
		want        []byte
	}{{0, -1, data}, {100, 5000, data[100:5100]}, {-4000, -1, data[6000:]}, {-4000, 300, data[6000:6300]}, {20_000, -1, nil}} {
		synctest.Test(t, func(t *testing.T) {
			f, _, below := stack(t, nil, &faultfs.Rule{Op: "read", Times: 60, N: 200, Err: unavailable()})
			write(t, below, "f", data)
			got, err := f.ReadRange(t.Context(), "f", c.off, c.length)
			if err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("range %d+%d: %d bytes, %v, want %d", c.off, c.length, len(got), err, len(c.want))
			}
		})
	}
}

func TestBodyOfAnotherVersionIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, below := stack(t, nil, &faultfs.Rule{Op: "read", Times: 1, N: 10, Err: unavailable()})
		write(t, below, "f", bytes.Repeat([]byte("a"), 100))
		r, err := f.Open(t.Context(), "f", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		write(t, below, "f", bytes.Repeat([]byte("b"), 100))
		got, err := io.ReadAll(r)
		if fault.KindOf(err) != fault.Changed || string(got) != "aaaaaaaaaa" {
			t.Errorf("read %q, %v, want ten bytes and Changed", got, err)
		}
		if _, again := r.Read(make([]byte, 1)); fault.KindOf(again) != fault.Changed {
			t.Errorf("the next read: %v", again)
		}
	})
}

func TestBodyGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, layer, below := stack(t, nil, &faultfs.Rule{Op: "read", Err: unavailable()})
		write(t, below, "f", []byte("x"))
		if _, err := f.ReadFile(t.Context(), "f"); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("error %v", err)
		}
		if got := layer.Calls("open"); got != 5 {
			t.Errorf("opened %d times, want 5", got)
		}
	})
}

// unversioned hides the version of what is read.
type unversioned struct{ driver.FS }

func (u unversioned) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	r, err := u.FS.Open(ctx, path, opts)
	return noVersion{r}, err
}

type noVersion struct{ driver.Reader }

func (n noVersion) Entry() driver.Entry {
	e := n.Reader.Entry()
	e.Version = ""
	return e
}

func TestBodyWithoutVersion(t *testing.T) {
	for n, want := range map[int64]fault.Kind{0: fault.None, 1: fault.Unavailable} {
		synctest.Test(t, func(t *testing.T) {
			mem := memfs.New()
			write(t, fsys.New(mem, ""), "f", []byte("xyz"))
			drv, _ := faultfs.New(mem, &faultfs.Rule{Op: "read", Times: 1, N: n, Err: unavailable()})
			f := fsys.New(retryfs.New(unversioned{drv}, nil), "")
			if _, err := f.ReadFile(t.Context(), "f"); fault.KindOf(err) != want {
				t.Errorf("break after %d bytes: %v, want %v", n, err, want)
			}
		})
	}
}

func TestLostAnswerOfRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, below := stack(t, nil, &faultfs.Rule{Op: "remove", Times: 1, Done: true, Err: unavailable()})
		write(t, below, "x", nil)
		if err := f.Remove(t.Context(), "x"); err != nil {
			t.Errorf("remove: %v", err)
		}
		if err := f.Remove(t.Context(), "x"); fault.KindOf(err) != fault.NotExist {
			t.Errorf("remove of an absent object: %v", err)
		}
	})
}

func TestBatchRepeatsWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		paths := []string{"a", "b", "c", "d"}
		f, layer, below := stack(t, nil,
			&faultfs.Rule{Op: "remove", Path: "b", Times: 3, Err: unavailable()},
			&faultfs.Rule{Op: "remove", Path: "c", Err: fault.New("", "", fault.Permission, nil)},
			&faultfs.Rule{Op: "remove", Path: "d", Err: unavailable()})
		for _, p := range paths {
			write(t, below, p, nil)
		}
		want := []fault.Kind{fault.None, fault.None, fault.Permission, fault.Unavailable}
		for i, err := range f.RemoveBatch(t.Context(), paths) {
			if fault.KindOf(err) != want[i] {
				t.Errorf("remove %s: %v, want %v", paths[i], err, want[i])
			}
		}
		if n := layer.Calls("remove"); n > 4+2+2+2+6 {
			t.Errorf("%d removals were sent", n)
		}
	})
}

// One operation fails at each of its steps once; the answer stays right.
func TestEachStepOnce(t *testing.T) {
	run := func(f *fsys.FS) error {
		ctx := context.Background()
		if _, err := f.Stat(ctx, "f"); err != nil {
			return err
		}
		for _, err := range f.List(ctx, "", nil) {
			if err != nil {
				return err
			}
		}
		if _, err := f.Copy(ctx, "f", "g"); err != nil {
			return err
		}
		data, err := f.ReadFile(ctx, "g")
		if err == nil && len(data) != 5000 {
			err = fmt.Errorf("%d bytes", len(data))
		}
		if err != nil {
			return err
		}
		return f.Remove(ctx, "g")
	}
	synctest.Test(t, func(t *testing.T) {
		f, layer, below := stack(t, nil)
		write(t, below, "f", make([]byte, 5000))
		if err := run(f); err != nil {
			t.Fatal(err)
		}
		steps := layer.Calls("")
		for skip := range steps {
			layer.Clear()
			layer.Add(&faultfs.Rule{Skip: skip, Times: 1, Err: unavailable()})
			if err := run(f); err != nil {
				t.Errorf("with step %d of %d failing: %v", skip, steps, err)
			}
		}
		if steps < 6 {
			t.Errorf("only %d steps were tried", steps)
		}
	})
}
