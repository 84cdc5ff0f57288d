package rofs_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
	"github.com/leat-dev/leat/fsys/layer/rofs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		mem := memfs.New()
		return drivertest.Harness{FS: rofs.New(mem), ReadOnly: true, Seed: func(t *testing.T, files map[string][]byte) {
			for path, data := range files {
				if _, err := fsys.New(mem, "").WriteFile(t.Context(), path, data); err != nil {
					t.Fatal(err)
				}
			}
		}}
	})
}

// Whatever a program does through the whole API, nothing below is even asked
// to change.
func TestNothingChanges(t *testing.T) {
	mem := memfs.New()
	if _, err := fsys.New(mem, "").WriteFile(t.Context(), "a", []byte("a")); err != nil {
		t.Fatal(err)
	}
	drv, below := faultfs.New(mem)
	f := fsys.New(rofs.New(drv), "mem://t")
	changes := map[string]func() error{
		"create":           func() error { _, err := f.Create(t.Context(), "b", nil); return err },
		"create exclusive": func() error { _, err := f.Create(t.Context(), "a", &fsys.CreateOptions{Exclusive: true}); return err },
		"write":            func() error { _, err := f.WriteFile(t.Context(), "a", nil); return err },
		"copy":             func() error { _, err := f.Copy(t.Context(), "a", "b"); return err },
		"remove":           func() error { return f.Remove(t.Context(), "a") },
		"remove nothing":   func() error { return f.Remove(t.Context(), "absent") },
		"remove batch":     func() error { return f.RemoveBatch(t.Context(), []string{"a"})[0] },
	}
	for name, change := range changes {
		if err := change(); fault.KindOf(err) != fault.Refused {
			t.Errorf("%s: %v, want Refused", name, err)
		}
	}
	for _, op := range []string{"create", "commit", "remove", "copy"} {
		if n := below.Calls(op); n > 0 {
			t.Errorf("the store was asked to %s %d times", op, n)
		}
	}
	if data, err := f.ReadFile(t.Context(), "a"); err != nil || string(data) != "a" {
		t.Errorf("read %q, %v", data, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Remove(ctx, "a"); fault.KindOf(err) != fault.Canceled {
		t.Errorf("canceled: %v", err)
	}
}

func TestNoLocalPath(t *testing.T) {
	f := fsys.New(rofs.New(localfs.New(nil)), "file://")
	if name, ok := f.LocalPath("etc/hosts"); ok {
		t.Errorf("LocalPath gives %q, which can be written to", name)
	}
}
