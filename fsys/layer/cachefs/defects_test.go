package cachefs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/cachefs"
	"github.com/leat-dev/leat/fsys/layer/caps"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

// Known defects of caches, each as a check that returns what is wrong. The
// check runs over this cache, and over a small one that has the defect, to
// prove that it would notice.

// makeCache returns a cache over a store, with its files in dir.
type makeCache func(drv driver.FS, dir string) driver.FS

func cacheOf(t *testing.T, opts cachefs.Options) makeCache {
	return func(drv driver.FS, dir string) driver.FS {
		opts.Dir, opts.Store, opts.BlockBytes = dir, "mem://t", block
		return newCache(t, drv, opts)
	}
}

func wantSound(t *testing.T, check func(*testing.T, makeCache) error, opts cachefs.Options) {
	t.Helper()
	if err := check(t, cacheOf(t, opts)); err != nil {
		t.Error(err)
	}
}

func wantCaught(t *testing.T, check func(*testing.T, makeCache) error, double makeCache) {
	t.Helper()
	if check(t, double) == nil {
		t.Error("the check does not notice the defect")
	}
}

// D1: a block is noted as present before it was fetched. When fetching it
// fails, the next read finds zeros, in this process and in the next.
func checkD1(t *testing.T, open makeCache) error {
	dir, data := t.TempDir(), content(3*block, 1)
	mem := memfs.New()
	if _, err := fsys.New(mem, "").WriteFile(t.Context(), "a", data); err != nil {
		return err
	}
	for _, n := range []int64{0, 1, block - 1, block, 2*block + 7} { // where the body breaks off
		for _, broken := range []error{down(), io.EOF} {
			drv, rules := faultfs.New(mem)
			c := open(drv, filepath.Join(dir, fmt.Sprint(n, broken == io.EOF)))
			rules.Add(&faultfs.Rule{Op: "read", N: n, Err: broken})
			if got, err := readAll(t, c, "a"); err == nil {
				return fmt.Errorf("a body that broke off at %d passed for %d bytes", n, len(got))
			} else if fault.KindOf(err) == fault.NotExist {
				return fmt.Errorf("a body that broke off reads as absent: %w", err)
			}
			for _, next := range []driver.FS{c, open(drv, filepath.Join(dir, fmt.Sprint(n, broken == io.EOF)))} {
				if got, err := readAll(t, next, "a"); err == nil && string(got) != string(data) {
					return fmt.Errorf("the store is still down and gives %d bytes: %s", len(got), firstDifference(got, data))
				}
			}
			rules.Clear()
			if got, err := readAll(t, c, "a"); err != nil || string(got) != string(data) {
				return fmt.Errorf("afterwards: %d bytes, %v; %s", len(got), err, firstDifference(got, data))
			}
		}
	}
	return nil
}

func TestD1FailedFetchLeavesNoZeros(t *testing.T) {
	for name, opts := range settings(t) {
		if name != "none" {
			t.Run(name, func(t *testing.T) { wantSound(t, checkD1, opts) })
		}
	}
	wantCaught(t, checkD1, func(drv driver.FS, dir string) driver.FS {
		return &early{FS: drv, blocks: map[int64]bool{}}
	})
}

// early has defect D1.
type early struct {
	driver.FS
	data   []byte
	blocks map[int64]bool
}

func (d *early) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	e, err := d.FS.Stat(ctx, path)
	if err != nil {
		return nil, err
	}
	if d.data == nil {
		d.data = make([]byte, e.Size)
	}
	for i := range e.Size / block {
		if d.blocks[i] {
			continue
		}
		d.blocks[i] = true // before it is there
		r, err := d.FS.Open(ctx, path, driver.OpenOptions{Offset: i * block, Length: block})
		if err != nil {
			return nil, err
		}
		_, err = io.ReadFull(r, d.data[i*block:][:block])
		r.Close()
		if err != nil {
			return nil, err
		}
	}
	return &bytesReader{e, d.data}, nil
}

type bytesReader struct {
	e    driver.Entry
	rest []byte
}

func (r *bytesReader) Entry() driver.Entry { return r.e }
func (r *bytesReader) Close() error        { return nil }
func (r *bytesReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// D5: a whole object is written to its final name as it comes. What is there
// when it breaks off, or while it comes, is served as the object.
func checkD5(t *testing.T, open makeCache) error {
	dir, data := t.TempDir(), content(10*block, 2)
	mem := memfs.New()
	if _, err := fsys.New(mem, "").WriteFile(t.Context(), "a", data); err != nil {
		return err
	}
	drv, rules := faultfs.New(mem)
	rules.Add(&faultfs.Rule{Op: "read", Times: 1, N: 5 * block, Err: down()})
	c := open(drv, dir)
	if _, err := readAll(t, c, "a"); err == nil {
		return fmt.Errorf("a body that broke off passed")
	}
	for _, next := range []driver.FS{c, open(drv, dir)} {
		if got, err := readAll(t, next, "a"); err == nil && string(got) != string(data) {
			return fmt.Errorf("%d bytes of %d passed for the object", len(got), len(data))
		}
	}
	// Readers of another process while the object comes.
	halted := &halting{FS: drv, at: 6 * block, reached: make(chan struct{}), on: make(chan struct{})}
	dir = t.TempDir()
	slow, other := open(halted, dir), open(drv, dir)
	var wg sync.WaitGroup
	wg.Go(func() { // owner: this check, which waits
		_, _ = readAll(t, slow, "a")
	})
	<-halted.reached
	// The other may wait for the first; it must not take its part.
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var got []byte
	r, err := other.Open(ctx, "a", driver.OpenOptions{})
	if err == nil {
		got, err = io.ReadAll(r)
		r.Close()
	}
	close(halted.on)
	wg.Wait()
	if err == nil && string(got) != string(data) {
		return fmt.Errorf("%d bytes of %d passed for the object while it came", len(got), len(data))
	}
	return nil
}

// halting stops its first body in the middle.
type halting struct {
	driver.FS
	at          int64
	reached, on chan struct{}
	once        sync.Once
}

func (h *halting) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	r, err := h.FS.Open(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	return &haltingReader{Reader: r, h: h, pos: opts.Offset}, nil
}

type haltingReader struct {
	driver.Reader
	h   *halting
	pos int64
}

func (r *haltingReader) Read(p []byte) (int, error) {
	if r.pos >= r.h.at {
		r.h.once.Do(func() {
			close(r.h.reached)
			<-r.h.on
		})
	}
	n, err := r.Reader.Read(p[:min(len(p), block)])
	r.pos += int64(n)
	return n, err
}

func TestD5PartIsNeverTheWhole(t *testing.T) {
	for name, opts := range settings(t) {
		t.Run(name, func(t *testing.T) { wantSound(t, checkD5, opts) })
	}
	wantCaught(t, checkD5, func(drv driver.FS, dir string) driver.FS { return &finalName{drv, dir} })
}

// finalName has defect D5.
type finalName struct {
	driver.FS
	dir string
}

func (d *finalName) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	e, err := d.FS.Stat(ctx, path)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(d.dir, "a")
	if data, err := os.ReadFile(name); err == nil {
		return &bytesReader{e, data}, nil
	}
	r, err := d.FS.Open(ctx, path, driver.OpenOptions{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := io.Copy(f, r); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(name)
	return &bytesReader{e, data}, err
}

// D6: a commit that failed leaves a state behind in which later writes
// vanish.
func checkD6(t *testing.T, open makeCache) error {
	drv, _ := faultfs.New(memfs.New(), &faultfs.Rule{Op: "commit", Times: 1, Err: down()})
	f := fsys.New(open(drv, t.TempDir()), "cache::mem://t")
	if _, err := f.WriteFile(t.Context(), "a", []byte("1")); err == nil {
		return fmt.Errorf("a failed commit passed")
	}
	if _, err := f.WriteFile(t.Context(), "a", []byte("2")); err != nil {
		return err
	}
	if data, err := fsys.New(drv, "").ReadFile(t.Context(), "a"); err != nil || string(data) != "2" {
		return fmt.Errorf("the next write vanished: %q, %w", data, err)
	}
	return nil
}

func TestD6FailedCommitDoesNotStick(t *testing.T) {
	for name, opts := range settings(t) {
		t.Run(name, func(t *testing.T) { wantSound(t, checkD6, opts) })
	}
	wantCaught(t, checkD6, func(drv driver.FS, _ string) driver.FS { return &sticky{FS: drv} })
}

// sticky has defect D6.
type sticky struct {
	driver.FS
	failed bool
}

func (s *sticky) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	w, err := s.FS.Create(ctx, path, opts)
	return &stickyWriter{w, s}, err
}

type stickyWriter struct {
	driver.Writer
	s *sticky
}

func (w *stickyWriter) Commit(ctx context.Context) (driver.Entry, error) {
	if w.s.failed {
		return driver.Entry{}, w.Abort()
	}
	e, err := w.Writer.Commit(ctx)
	w.s.failed = err != nil
	return e, err
}

// D11: making something that another process can read of a live instance
// breaks the instance.
func checkD11(t *testing.T, open makeCache) error {
	data := content(3*block, 3)
	defer memfs.Forget(t.Name())
	dir := t.TempDir()
	m := fsys.NewMux(map[string]fsys.Backend{"mem": memfs.Backend(), "cache": {
		Wrap: func(_ context.Context, inner *fsys.FS, _ fsys.LinkOptions) (driver.FS, error) {
			return open(caps.KeepOpen(inner.Driver()), dir), nil
		},
	}})
	defer m.Close()
	f, path, err := m.Resolve(t.Context(), "cache::mem://"+t.Name()+"/a")
	if err != nil {
		return err
	}
	if _, err := f.WriteFile(t.Context(), path, data); err != nil {
		return err
	}
	r, err := f.Open(t.Context(), path, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	head := make([]byte, 100)
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	spec, err := f.Spec()
	if err != nil {
		return err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	if m, ok := f.Driver().(json.Marshaler); ok { // as a program might
		if _, err := m.MarshalJSON(); err != nil {
			return err
		}
	}
	spec.Links[0].Scheme = "scribbled over"
	tail, err := io.ReadAll(r)
	if err != nil || string(head)+string(tail) != string(data) {
		return fmt.Errorf("the open reader broke: %d bytes, %w", len(head)+len(tail), err)
	}
	if got, err := f.ReadFile(t.Context(), path); err != nil || string(got) != string(data) {
		return fmt.Errorf("the file system broke: %d bytes, %w", len(got), err)
	}
	var read fsys.Spec
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	g, err := m.OpenSpec(t.Context(), read)
	if err != nil {
		return err
	}
	defer g.Close()
	if got, err := g.ReadFile(t.Context(), path); err != nil || string(got) != string(data) {
		return fmt.Errorf("the one from the spec reads %d bytes, %w", len(got), err)
	}
	if again, err := f.Spec(); err != nil || again.Links[0].Scheme != "cache" {
		return fmt.Errorf("the spec belongs to the caller, and changed the instance: %v, %w", again, err)
	}
	return nil
}

func TestD11SpecLeavesTheInstanceAlone(t *testing.T) {
	for name, opts := range settings(t) {
		t.Run(name, func(t *testing.T) { wantSound(t, checkD11, opts) })
	}
	wantCaught(t, checkD11, func(drv driver.FS, dir string) driver.FS { return &stripped{FS: drv} })
}

// stripped has defect D11.
type stripped struct {
	driver.FS
	gone bool
}

func (s *stripped) MarshalJSON() ([]byte, error) {
	s.gone = true // its own state instead of a copy
	return []byte("{}"), nil
}

func (s *stripped) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	if s.gone {
		return nil, fault.New("open", path, fault.Internal, nil)
	}
	return s.FS.Open(ctx, path, opts)
}
