package faultfs_test

import (
	"context"
	"errors"
	"io"
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
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Without rules the layer changes nothing.
func TestConformance(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		drv, _ := faultfs.New(memfs.New())
		return drivertest.Harness{FS: drv}
	})
}

// open returns a store with the objects a and b of 1,000 bytes.
func open(t *testing.T) (*fsys.FS, *faultfs.FS) {
	t.Helper()
	mem := memfs.New()
	for _, p := range []string{"a", "b"} {
		if _, err := fsys.New(mem, "mem://t").WriteFile(t.Context(), p, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	drv, layer := faultfs.New(mem)
	return fsys.New(drv, "mem://t"), layer
}

func TestRuleSelects(t *testing.T) {
	f, layer := open(t)
	layer.Add(&faultfs.Rule{Op: "stat", Path: "a", Skip: 1, Times: 2, Err: fault.New("", "", fault.Throttled, nil)})
	for i, want := range []fault.Kind{fault.None, fault.Throttled, fault.Throttled, fault.None} {
		_, err := f.Stat(t.Context(), "a")
		if fault.KindOf(err) != want {
			t.Errorf("stat %d of a: %v, want kind %v", i, err, want)
		}
		if _, err := f.Stat(t.Context(), "b"); err != nil {
			t.Errorf("stat %d of b: %v", i, err)
		}
	}
	if got := layer.Calls("stat"); got != 8 {
		t.Errorf("Calls(stat) = %d, want 8", got)
	}
	layer.Add(&faultfs.Rule{Err: io.ErrUnexpectedEOF})
	if _, err := f.ReadFile(t.Context(), "b"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("any operation fails with %v, want Unavailable", err)
	}
	layer.Clear()
	if _, err := f.ReadFile(t.Context(), "b"); err != nil {
		t.Errorf("after Clear: %v", err)
	}
}

func TestStreamsBreakOffAfterN(t *testing.T) {
	f, layer := open(t)
	layer.Add(
		&faultfs.Rule{Op: "read", Times: 1, N: 300, Err: io.ErrUnexpectedEOF},
		&faultfs.Rule{Op: "read", Times: 1, N: 400, Err: io.EOF},
		&faultfs.Rule{Op: "write", Times: 1, N: 500, Err: io.ErrClosedPipe},
		&faultfs.Rule{Op: "list", Times: 1, N: 1, Err: context.DeadlineExceeded},
	)
	for _, want := range []struct {
		n    int
		kind fault.Kind
	}{{300, fault.Unavailable}, {1000, fault.None}} {
		r, err := f.Open(t.Context(), "a", nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if len(got) != want.n || fault.KindOf(err) != want.kind {
			t.Errorf("read %d bytes, %v, want %d, %v", len(got), err, want.n, want.kind)
		}
	}
	w, err := f.Create(t.Context(), "c", nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write(make([]byte, 1000)); n != 500 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("write = %d, %v, want 500 and an error", n, err)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	n, failed := 0, error(nil)
	for _, err := range f.List(t.Context(), "", nil) {
		if failed = err; err == nil {
			n++
		}
	}
	if n != 1 || fault.KindOf(failed) != fault.Timeout {
		t.Errorf("list gave %d entries, %v, want 1 and a time-out", n, failed)
	}
}

func TestLostAnswer(t *testing.T) {
	f, layer := open(t)
	lost := fault.New("", "", fault.Unavailable, nil)
	layer.Add(
		&faultfs.Rule{Op: "commit", Path: "c", Err: lost, Done: true},
		&faultfs.Rule{Op: "commit", Path: "d", Err: lost},
		&faultfs.Rule{Op: "remove", Path: "a", Err: lost, Done: true},
		&faultfs.Rule{Op: "remove", Path: "b", Err: lost},
	)
	for path, there := range map[string]bool{"c": true, "d": false} {
		if _, err := f.WriteFile(t.Context(), path, []byte("x")); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("write %s: %v", path, err)
		}
		if _, err := f.Stat(t.Context(), path); (err == nil) != there {
			t.Errorf("stat %s: %v, want there = %v", path, err, there)
		}
	}
	for i, err := range f.RemoveBatch(t.Context(), []string{"a", "b", "c"}) {
		if want := i < 2; (err != nil) != want {
			t.Errorf("remove %d: %v", i, err)
		}
	}
	for path, there := range map[string]bool{"a": false, "b": true, "c": false} {
		if _, err := f.Stat(t.Context(), path); (err == nil) != there {
			t.Errorf("stat %s: %v, want there = %v", path, err, there)
		}
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drv, _ := faultfs.New(memfs.New(), &faultfs.Rule{Delay: time.Minute})
		start := time.Now()
		if _, err := drv.Stat(t.Context(), ""); err != nil || time.Since(start) != time.Minute {
			t.Errorf("stat after %v: %v", time.Since(start), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := drv.Open(ctx, "x", driver.OpenOptions{}); fault.KindOf(err) != fault.Timeout {
			t.Errorf("open beyond the deadline: %v", err)
		}
	})
}
