package memfs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// An FS is one opened store. It implements [driver.FS], [driver.Copier] and
// [driver.BatchRemover].
type FS struct {
	s      *space
	closed atomic.Bool
}

// A space is a store itself.
type space struct {
	mu      sync.RWMutex
	objects table
	counter uint64 // commits so far
}

var (
	spacesMu sync.Mutex
	spaces   = map[string]*space{}
)

// Open returns the store of that name, empty when the process has not used
// the name before. It does not block.
func Open(name string) *FS {
	spacesMu.Lock()
	defer spacesMu.Unlock()
	s := spaces[name]
	if s == nil {
		s = &space{}
		spaces[name] = s
	}
	return &FS{s: s}
}

// New returns a store without a name, which nothing else can open.
func New() *FS { return &FS{s: &space{}} }

// Forget makes the name free: what is open goes on with the old store, and
// the next [Open] finds an empty one.
func Forget(name string) {
	spacesMu.Lock()
	defer spacesMu.Unlock()
	delete(spaces, name)
}

var errClosed = errors.New("the file system is closed")

// check begins every operation.
func (f *FS) check(ctx context.Context, op, path string) error {
	if f.closed.Load() {
		return fault.New(op, path, fault.Invalid, errClosed)
	}
	if err := ctx.Err(); err != nil {
		return fault.New(op, path, fault.KindOf(err), context.Cause(ctx))
	}
	return nil
}

// Len returns how many objects the store has.
func (f *FS) Len() int {
	f.s.mu.RLock()
	defer f.s.mu.RUnlock()
	return f.s.objects.n
}

// entry describes o.
func entry(o *object) driver.Entry {
	return driver.Entry{
		Path: o.path(), Kind: driver.File, Size: int64(len(o.data())),
		ModTime: time.Unix(0, o.mtime), Version: strconv.FormatUint(o.version>>16, 10),
	}
}

// isDir reports whether something lies below path.
func (s *space) isDir(path string) bool {
	if path == "" {
		return true
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, i, _ := s.objects.find(path + "/")
	return b < len(s.objects.blocks) && strings.HasPrefix(s.objects.blocks[b][i].path(), path+"/")
}

func (s *space) get(path string) (object, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects.get(path)
}

// Stat implements [driver.FS].
func (f *FS) Stat(ctx context.Context, path string) (driver.Entry, error) {
	if err := f.check(ctx, "stat", path); err != nil {
		return driver.Entry{}, err
	}
	if o, ok := f.s.get(path); ok {
		return entry(&o), nil
	}
	if f.s.isDir(path) {
		return driver.Entry{Path: path, Kind: driver.Dir, Size: -1}, nil
	}
	return driver.Entry{}, fault.New("stat", path, fault.NotExist, nil)
}

// Remove implements [driver.FS].
func (f *FS) Remove(ctx context.Context, path string) error {
	if err := f.check(ctx, "remove", path); err != nil {
		return err
	}
	f.s.mu.Lock()
	ok := f.s.objects.remove(path)
	f.s.mu.Unlock()
	if !ok {
		return fault.New("remove", path, fault.NotExist, nil)
	}
	return nil
}

// MaxRemoveBatch implements [driver.BatchRemover].
func (f *FS) MaxRemoveBatch() int { return 1000 }

// RemoveBatch implements [driver.BatchRemover]. An object that is absent
// already counts as gone.
func (f *FS) RemoveBatch(ctx context.Context, paths []string) []error {
	errs := make([]error, len(paths))
	for i, p := range paths {
		err := f.Remove(ctx, p)
		if fault.KindOf(err) != fault.NotExist {
			errs[i] = err
		}
	}
	return errs
}

// Copy implements [driver.Copier].
func (f *FS) Copy(ctx context.Context, src, dst string) (driver.Entry, error) {
	if err := f.check(ctx, "copy", src); err != nil {
		return driver.Entry{}, err
	}
	if err := valid("copy", dst); err != nil {
		return driver.Entry{}, err
	}
	o, ok := f.s.get(src)
	if !ok {
		return driver.Entry{}, f.s.absent("copy", src)
	}
	return f.s.commit(dst+o.data(), len(dst), false)
}

// Close implements [driver.FS]. The objects stay.
func (f *FS) Close() error {
	f.closed.Store(true)
	return nil
}

// absent says why there is no object at path.
func (s *space) absent(op, path string) error {
	if s.isDir(path) {
		return fault.New(op, path, fault.IsDir, nil)
	}
	return fault.New(op, path, fault.NotExist, nil)
}

// valid refuses the names that cannot be stored.
func valid(op, path string) error {
	switch {
	case path == "":
		return fault.New(op, path, fault.IsDir, errors.New("the root is a directory"))
	case len(path) > maxPath:
		return fault.New(op, path[:64]+"…", fault.Invalid, fmt.Errorf("the name has %d bytes; %d is the most", len(path), maxPath))
	}
	return nil
}

// commit publishes blob, a path and its content.
func (s *space) commit(blob string, pathLen int, exclusive bool) (driver.Entry, error) {
	now := time.Now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	if exclusive {
		if _, _, ok := s.objects.find(blob[:pathLen]); ok {
			return driver.Entry{}, fault.New("commit", blob[:pathLen], fault.Exist, nil)
		}
	}
	s.counter++
	o := newObject(blob, pathLen, now, s.counter)
	s.objects.put(o)
	return entry(&o), nil
}
