package drivertest

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// A Harness is a fresh, empty store and what it may do differently.
type Harness struct {
	// FS is the store.
	FS driver.FS
	// ReadOnly skips the subtests that write. Seed must be set.
	ReadOnly bool
	// Seed puts objects into the store. Nil means that they are written
	// through FS.
	Seed func(t *testing.T, files map[string][]byte)
	// Dirs says that the store has real directories, which recursive
	// listings yield and which outlive what was in them.
	Dirs bool
	// BadName reports whether the store refuses the name; nil means that it
	// refuses none. Create must then fail with kind Invalid.
	BadName func(path string) bool
	// NoVersion says that entries have no Version.
	NoVersion bool
	// NoExclusive says that Create refuses Exclusive with Unsupported.
	NoExclusive bool
	// Leftovers returns what is in the store and not listed: temporary
	// files, unfinished uploads. Nil means that there is nothing of the kind.
	Leftovers func(t *testing.T) []string
	// KeepOpen skips the subtest that closes FS, for stores that are shared.
	KeepOpen bool
}

// Run runs the suite. open is called once for each subtest.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range []struct {
		name   string
		test   func(t *testing.T, s *suite)
		writes bool
	}{
		{"Stat", testStat, false},
		{"List", testList, false},
		{"ListAfter", testListAfter, false},
		{"ListEmpty", testListEmpty, false},
		{"ListAbsent", testListAbsent, false},
		{"Page", testPage, false},
		{"Open", testOpen, false},
		{"OpenLarge", testOpenLarge, false},
		{"OpenRefuses", testOpenRefuses, false},
		{"OpenVersion", testOpenVersion, false},
		{"Write", testWrite, true},
		{"WriteAbort", testWriteAbort, true},
		{"WriteCancel", testWriteCancel, true},
		{"WriteExclusive", testWriteExclusive, true},
		{"WriteReplace", testWriteReplace, true},
		{"Remove", testRemove, true},
		{"Batch", testBatch, true},
		{"Copy", testCopy, true},
		{"Names", testNames, false},
		{"NamesRefused", testNamesRefused, true},
		{"Concurrent", testConcurrent, true},
		{"Canceled", testCanceled, false},
		{"Closed", testClosed, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := open(t)
			if c.writes && h.ReadOnly {
				return // not part of a read-only store's contract
			}
			c.test(t, &suite{Harness: h, ctx: deadline(t)})
		})
	}
}

// suite is what subtests work with.
type suite struct {
	Harness
	ctx context.Context
}

// deadline bounds a subtest, so that a hang names the call that hung.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// seed puts objects into the store.
func (s *suite) seed(t *testing.T, files map[string][]byte) {
	t.Helper()
	if s.Seed != nil {
		s.Seed(t, files)
		return
	}
	slots := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for path, data := range files {
		slots <- struct{}{}
		wg.Go(func() { // owner: this function, which waits
			s.write(t, path, data)
			<-slots
		})
	}
	wg.Wait()
}

// names seeds objects whose content is their name.
func (s *suite) names(t *testing.T, paths ...string) {
	t.Helper()
	files := map[string][]byte{}
	for _, p := range paths {
		files[p] = []byte(p)
	}
	s.seed(t, files)
}

// write writes one object. It may run on any goroutine.
func (s *suite) write(t *testing.T, path string, data []byte) driver.Entry {
	t.Helper()
	w, err := s.FS.Create(s.ctx, path, driver.CreateOptions{SizeHint: int64(len(data))})
	if err != nil {
		t.Errorf("create %q: %v", path, err)
		return driver.Entry{}
	}
	defer w.Abort()
	if n, err := w.Write(data); n != len(data) || err != nil {
		t.Errorf("write %q: %d of %d bytes, %v", path, n, len(data), err)
		return driver.Entry{}
	}
	e, err := w.Commit(s.ctx)
	if err != nil {
		t.Errorf("commit %q: %v", path, err)
	}
	return e
}

// read reads a range of an object.
func (s *suite) read(path string, opts driver.OpenOptions) ([]byte, error) {
	r, err := s.FS.Open(s.ctx, path, opts)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return data, err
}

// wantContent fails unless path holds exactly want.
func (s *suite) wantContent(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := s.read(path, driver.OpenOptions{})
	if err != nil {
		t.Errorf("read %q: %v", path, err)
	} else if string(got) != string(want) {
		t.Errorf("read %q: %s, want %s", path, brief(got), brief(want))
	}
}

// wantNothing fails unless the store is empty, visibly and else.
func (s *suite) wantNothing(t *testing.T) {
	t.Helper()
	if got := s.list(t, "", driver.ListOptions{Recursive: true}); len(got) > 0 {
		t.Errorf("left behind: %q", keys(got))
	}
	s.wantNoLeftovers(t)
}

func (s *suite) wantNoLeftovers(t *testing.T) {
	t.Helper()
	if s.Leftovers != nil {
		if left := s.Leftovers(t); len(left) > 0 {
			t.Errorf("left behind out of sight: %q", left)
		}
	}
}

// list collects a listing and checks what holds for all: order, prefix,
// kinds, and that it ends after an error.
func (s *suite) list(t *testing.T, dir string, opts driver.ListOptions) []driver.Entry {
	t.Helper()
	entries, err := collect(s.FS.List(s.ctx, dir, opts))
	if err != nil {
		t.Errorf("list %q %+v: %v", dir, opts, err)
	}
	prefix := opts.Prefix
	if dir != "" {
		prefix = dir + "/" + prefix
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Path, prefix) {
			t.Errorf("list %q %+v: %q does not begin with %q", dir, opts, e.Path, prefix)
		}
		if e.Kind != driver.File && e.Kind != driver.Dir {
			t.Errorf("list %q: %q has kind %d", dir, e.Path, e.Kind)
		}
	}
	if k := keys(entries); !slices.IsSorted(k) || len(slices.Compact(k)) != len(entries) {
		t.Errorf("list %q %+v: not in byte order or not unique: %q", dir, opts, brief([]byte(strings.Join(keys(entries), " "))))
	}
	return entries
}

func collect(seq func(func(driver.Entry, error) bool)) ([]driver.Entry, error) {
	var entries []driver.Entry
	var failed error
	for e, err := range seq {
		switch {
		case failed != nil:
			return entries, fault.New("list", "", fault.Internal, failed) // went on after an error
		case err != nil && e != (driver.Entry{}):
			return entries, fault.New("list", e.Path, fault.Internal, err) // entry beside an error
		case err != nil:
			failed = err
		default:
			entries = append(entries, e)
		}
	}
	return entries, failed
}

// keys returns what entries sort by: the path, with a "/" for directories.
func keys(entries []driver.Entry) []string {
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = key(e)
	}
	return out
}

func key(e driver.Entry) string {
	if e.Kind == driver.Dir {
		return e.Path + "/"
	}
	return e.Path
}

// paths returns the paths of the objects among entries.
func paths(entries []driver.Entry) []string {
	var out []string
	for _, e := range entries {
		if e.Kind == driver.File {
			out = append(out, e.Path)
		}
	}
	return out
}

// wantKind fails unless err has the kind, is a *fault.Error and names path.
func wantKind(t *testing.T, what, path string, err error, kinds ...fault.Kind) {
	t.Helper()
	if !slices.Contains(kinds, fault.KindOf(err)) {
		t.Errorf("%s: error %v of kind %v, want %v", what, err, fault.KindOf(err), kinds)
		return
	}
	if err == nil {
		return
	}
	e, ok := err.(*fault.Error)
	if !ok {
		t.Errorf("%s: error %v is a %T, want a *fault.Error", what, err, err)
	} else if e.Path != path {
		t.Errorf("%s: the error names %q, want %q", what, e.Path, path)
	}
}

// brief keeps failure messages readable.
func brief(b []byte) string {
	if len(b) > 200 {
		return strings.ToValidUTF8(string(b[:200]), "?") + "…"
	}
	return string(b)
}

// pattern returns n bytes that differ by position and by seed.
func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*7 ^ byte(i>>16)*31 ^ seed
	}
	return b
}
