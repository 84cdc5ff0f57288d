package fsys_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

func TestErrorsNameTheURLOnce(t *testing.T) {
	f := fsys.New(memfs.New(), "mem://t")
	ctx := t.Context()
	_, statErr := f.Stat(ctx, "x y")
	_, openErr := f.Open(ctx, "x y", nil)
	_, createErr := f.Create(ctx, strings.Repeat("k", 70_000), nil)
	_, listErr := glob(f.List(ctx, "x y", nil))
	for want, err := range map[string]error{
		"stat: mem://t/x y: does not exist":   statErr,
		"open: mem://t/x y: does not exist":   openErr,
		"list: mem://t/x y: does not exist":   listErr,
		"remove: mem://t/x y: does not exist": f.Remove(ctx, "x y"),
	} {
		if err == nil || err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %q, want %q", err, want)
		}
	}
	if fault.KindOf(createErr) != fault.Invalid {
		t.Errorf("create of a long name: %v", createErr)
	}
}

func TestStreamErrorsNameTheURL(t *testing.T) {
	mem := memfs.New()
	put(t, fsys.New(mem, ""), "f")
	bad := fault.New("", "", fault.Unavailable, nil)
	drv, _ := faultfs.New(mem, &faultfs.Rule{Op: "read", Err: bad}, &faultfs.Rule{Op: "write", Times: 1, Err: bad},
		&faultfs.Rule{Op: "commit", Err: bad})
	f := fsys.New(drv, "s3://b")
	check := func(op string, err error) {
		t.Helper()
		if want := op + ": s3://b/f: unavailable"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	r, err := f.Open(t.Context(), "f", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Read(make([]byte, 1))
	check("read", err)
	_, err = io.Copy(io.Discard, r)
	check("read", err)
	r.Close()
	_, err = f.ReadFile(t.Context(), "f")
	check("read", err)
	_, err = f.WriteFile(t.Context(), "f", []byte("x"))
	check("write", err)
	_, err = f.WriteFile(t.Context(), "f", []byte("x"))
	check("commit", err)
}

func TestReadRange(t *testing.T) {
	f := fsys.New(memfs.New(), "mem://t")
	data := []byte("0123456789")
	if _, err := f.WriteFile(t.Context(), "f", data); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		off, n int64
		want   string
	}{{0, 4, "0123"}, {8, 100, "89"}, {10, 1, ""}, {99, 1, ""}, {0, 0, ""}, {3, -1, "3456789"}, {-3, -1, "789"}, {-3, 2, "78"}, {-99, 1, "0"}} {
		got, err := f.ReadRange(t.Context(), "f", c.off, c.n)
		if err != nil || string(got) != c.want {
			t.Errorf("ReadRange(%d, %d) = %q, %v, want %q", c.off, c.n, got, err, c.want)
		}
	}
	if got, err := f.ReadFile(t.Context(), "f"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("ReadFile = %q, %v", got, err)
	}
	if _, err := f.ReadRange(t.Context(), "absent", 0, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadRange of nothing: %v", err)
	}
}

// plain hides the optional abilities of a driver.
type plain struct{ driver.FS }

func TestCopyWithAndWithoutCopier(t *testing.T) {
	for name, drv := range map[string]driver.FS{"copier": memfs.New(), "streamed": plain{memfs.New()}} {
		f := fsys.New(drv, "mem://t")
		data := bytes.Repeat([]byte("x\x00y"), 100_000)
		if _, err := f.WriteFile(t.Context(), "a", data); err != nil {
			t.Fatal(err)
		}
		if e, err := f.Copy(t.Context(), "a", "d/b"); err != nil || e.Path != "d/b" || e.Size != int64(len(data)) {
			t.Errorf("%s: copy = %+v, %v", name, e, err)
		}
		if got, err := f.ReadFile(t.Context(), "d/b"); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: the copy has %d bytes, %v", name, len(got), err)
		}
		if _, err := f.Copy(t.Context(), "absent", "c"); fault.KindOf(err) != fault.NotExist {
			t.Errorf("%s: copy of nothing: %v", name, err)
		}
	}
}

// A body that ends early without a word is no copy, nor is one that breaks.
func TestCopyOfTruncatedBody(t *testing.T) {
	for _, cause := range []error{io.EOF, io.ErrUnexpectedEOF, context.DeadlineExceeded} {
		mem := memfs.New()
		below := fsys.New(mem, "mem://t")
		if _, err := below.WriteFile(t.Context(), "a", make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		drv, _ := faultfs.New(plain{mem}, &faultfs.Rule{Op: "read", N: 500, Err: cause})
		if _, err := fsys.New(drv, "mem://t").Copy(t.Context(), "a", "b"); !fault.KindOf(err).Temporary() {
			t.Errorf("copy of half a body (%v): %v", cause, err)
		}
		if _, err := below.Stat(t.Context(), "b"); fault.KindOf(err) != fault.NotExist {
			t.Errorf("half a copy is there: %v", err)
		}
	}
}

func TestCopyFailingAtEachStep(t *testing.T) {
	mem := memfs.New()
	below := fsys.New(mem, "mem://t")
	put(t, below, "a")
	drv, layer := faultfs.New(plain{mem})
	f := fsys.New(drv, "mem://t")
	if _, err := f.Copy(t.Context(), "a", "warm"); err != nil {
		t.Fatal(err)
	}
	steps := layer.Calls("")
	for skip := range steps {
		layer.Clear()
		layer.Add(&faultfs.Rule{Skip: skip, Times: 1, Err: fault.New("", "", fault.NoSpace, nil)})
		if _, err := f.Copy(t.Context(), "a", "b"); fault.KindOf(err) != fault.NoSpace {
			t.Errorf("step %d of %d: %v", skip, steps, err)
		}
		if _, err := below.Stat(t.Context(), "b"); fault.KindOf(err) != fault.NotExist {
			t.Errorf("step %d left an object: %v", skip, err)
		}
	}
	if steps < 5 {
		t.Errorf("only %d steps", steps)
	}
}

// small removes two objects at a time.
type small struct{ *memfs.FS }

func (small) MaxRemoveBatch() int { return 2 }

// broken answers for the wrong number of paths.
type broken struct{ *memfs.FS }

func (broken) RemoveBatch(context.Context, []string) []error { return nil }

func TestRemoveBatch(t *testing.T) {
	paths := []string{"a", "b", "c", "d", "e"}
	for name, drv := range map[string]driver.FS{"batch": memfs.New(), "small": small{memfs.New()}, "plain": plain{memfs.New()}} {
		f := fsys.New(drv, "mem://t")
		put(t, f, append(paths, "keep")...)
		errs := f.RemoveBatch(t.Context(), paths)
		if len(errs) != len(paths) || slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
			t.Errorf("%s: %v", name, errs)
		}
		if got, err := glob(f.List(t.Context(), "", nil)); err != nil || !slices.Equal(got, []string{"keep"}) {
			t.Errorf("%s: left %q, %v", name, got, err)
		}
	}
	for _, err := range fsys.New(broken{memfs.New()}, "").RemoveBatch(t.Context(), paths) {
		if fault.KindOf(err) != fault.Internal {
			t.Errorf("a driver that does not answer: %v", err)
		}
	}
}

func TestLocalPathAndURL(t *testing.T) {
	f := fsys.New(memfs.New(), "mem://t")
	if p, ok := f.LocalPath("x"); ok {
		t.Errorf("LocalPath = %q in memory", p)
	}
	if got := f.URL("a b#"); got != "mem://t/a b#" {
		t.Errorf("URL = %q", got)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Stat(t.Context(), ""); err == nil {
		t.Error("stat after Close")
	}
}
