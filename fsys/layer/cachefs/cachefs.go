package cachefs

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/caps"
)

// New returns drv with a cache in front. It makes the directory of the disk
// cache, and fails if it cannot or the options are wrong. Closing the result
// closes drv; what is on disk stays.
func New(drv driver.FS, opts *Options) (driver.FS, error) {
	f, err := newLayer(drv, opts)
	if err != nil {
		return nil, err
	}
	var c driver.Copier
	if below, ok := drv.(driver.Copier); ok {
		c = copier{f, below}
	}
	var b driver.BatchRemover
	if below, ok := drv.(driver.BatchRemover); ok {
		b = batchRemover{f, below}
	}
	l, _ := drv.(driver.LocalPather)
	return caps.With(f, c, b, l), nil
}

func newLayer(drv driver.FS, opts *Options) (*layer, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	f := &layer{drv: drv, opts: o, stats: o.Stats}
	f.blocks = lru[blockKey, []byte]{max: o.MemoryBytes, age: o.MaxAge}
	f.entries = lru[string, driver.Entry]{max: int64(o.ListEntries), age: o.Revalidate}
	if o.Revalidate == 0 {
		f.entries.age = o.MaxAge // they only tell what has been seen
	}
	f.listings = lru[listKey, []driver.Entry]{max: int64(o.ListEntries), age: max(o.ListTTL, 0)}
	if o.Dir != "" {
		if f.disk, err = newDisk(&f.opts); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// layer implements driver.FS.
type layer struct {
	drv    driver.FS
	opts   Options
	stats  *Stats
	disk   *disk // or nil
	closed atomic.Bool

	blocks   lru[blockKey, []byte]
	entries  lru[string, driver.Entry]
	listings lru[listKey, []driver.Entry]

	// writes counts what was written and removed through this layer. An
	// answer of the store is only kept if it did not change meanwhile.
	writesMu sync.Mutex
	writes   uint64

	flights flights
}

var errClosed = errors.New("the file system is closed")

// check begins what may be answered without the store.
func (f *layer) check(ctx context.Context, op, path string) error {
	if f.closed.Load() {
		return fault.New(op, path, fault.Invalid, errClosed)
	}
	if err := ctx.Err(); err != nil {
		return fault.New(op, path, fault.KindOf(err), context.Cause(ctx))
	}
	return nil
}

func (f *layer) written() uint64 {
	f.writesMu.Lock()
	defer f.writesMu.Unlock()
	return f.writes
}

// unlessWritten runs keep if nothing was written since the count was taken.
func (f *layer) unlessWritten(count uint64, keep func()) {
	f.writesMu.Lock()
	defer f.writesMu.Unlock()
	if f.writes == count {
		keep()
	}
}

// forget drops what is remembered about path, and the listings that show it:
// those of all directories up to the root, since a write can make or end a
// directory.
func (f *layer) forget(path string) {
	f.forgetHere(path)
	if f.opts.Revalidate != 0 {
		f.disk.dropKnown(path)
	}
}

func (f *layer) forgetHere(path string) {
	f.writesMu.Lock()
	defer f.writesMu.Unlock()
	f.writes++
	f.entries.remove(path)
	for dir := path; ; {
		f.listings.remove(listKey{dir, false})
		f.listings.remove(listKey{dir, true})
		i := strings.LastIndexByte(dir, '/')
		if i < 0 {
			if dir == "" {
				return
			}
			i = 0
		}
		dir = dir[:i]
	}
}

// trusted returns what is known of path, if it need not be asked for.
func (f *layer) trusted(path string) (driver.Entry, bool) {
	if f.opts.Revalidate == 0 {
		return driver.Entry{}, false
	}
	if e, _, ok := f.entries.get(path); ok {
		return e, true
	}
	writes := f.written()
	e, asked, ok := f.disk.getKnown(path, f.opts.Revalidate)
	if ok {
		f.unlessWritten(writes, func() { f.entries.putOf(path, e, 1, asked) })
	}
	return e, ok
}

// distrust forgets what is known of path because it has turned out wrong.
func (f *layer) distrust(path string) {
	f.entries.remove(path)
	f.disk.dropKnown(path)
}

// remember keeps what the store said about an object, for as long as it may
// be trusted; with record set, on disk too.
func (f *layer) remember(e driver.Entry, writes uint64, record bool) {
	if !cacheable(e) {
		return
	}
	f.unlessWritten(writes, func() { f.entries.put(e.Path, e, 1) })
	if f.opts.Revalidate == 0 || !record {
		return
	}
	f.disk.putKnown(e)
	if f.written() != writes { // perhaps this path, before the record was there
		f.disk.dropKnown(e.Path)
	}
}

// seen reports whether the object may have blocks in the cache.
func (f *layer) seen(path string) bool {
	_, _, ok := f.entries.get(path)
	return ok || f.disk != nil
}

// cacheable reports whether the content of e can be told from that of other
// versions.
func cacheable(e driver.Entry) bool {
	return e.Kind == driver.File && e.Version != "" && e.Size >= 0
}

// Stat implements [driver.FS].
func (f *layer) Stat(ctx context.Context, path string) (driver.Entry, error) {
	if err := f.check(ctx, "stat", path); err != nil {
		return driver.Entry{}, err
	}
	if e, ok := f.trusted(path); ok {
		return e, nil
	}
	return f.ask(ctx, path, false)
}

// ask asks the store about path. With record set the answer is kept on disk:
// not for each Stat, or walking a tree would write a file for each object.
func (f *layer) ask(ctx context.Context, path string, record bool) (driver.Entry, error) {
	writes := f.written()
	e, err := f.drv.Stat(ctx, path)
	if err != nil {
		return driver.Entry{}, err
	}
	f.remember(e, writes, record)
	return e, nil
}

// Create implements [driver.FS]. What is written is not kept: it has no
// version yet.
func (f *layer) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	w, err := f.drv.Create(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	return &writer{Writer: w, fs: f, path: path}, nil
}

// writer drops what is known when it may have changed.
type writer struct {
	driver.Writer
	fs   *layer
	path string
}

// Commit implements [driver.Writer]. After an error the object may be there
// all the same.
func (w *writer) Commit(ctx context.Context) (driver.Entry, error) {
	defer w.fs.forget(w.path)
	return w.Writer.Commit(ctx)
}

// Remove implements [driver.FS].
func (f *layer) Remove(ctx context.Context, path string) error {
	defer f.forget(path)
	return f.drv.Remove(ctx, path)
}

// Close implements [driver.FS].
func (f *layer) Close() error {
	f.closed.Store(true)
	f.blocks.clear()
	f.entries.clear()
	f.listings.clear()
	return f.drv.Close()
}

// copier is the layer's optional ability to copy.
type copier struct {
	f     *layer
	below driver.Copier
}

// Copy implements [driver.Copier].
func (c copier) Copy(ctx context.Context, src, dst string) (driver.Entry, error) {
	defer c.f.forget(dst)
	return c.below.Copy(ctx, src, dst)
}

// batchRemover is the layer's optional ability to remove many objects.
type batchRemover struct {
	f     *layer
	below driver.BatchRemover
}

// MaxRemoveBatch implements [driver.BatchRemover].
func (b batchRemover) MaxRemoveBatch() int { return b.below.MaxRemoveBatch() }

// RemoveBatch implements [driver.BatchRemover].
func (b batchRemover) RemoveBatch(ctx context.Context, paths []string) []error {
	defer func() {
		for _, p := range paths {
			b.f.forget(p)
		}
	}()
	return b.below.RemoveBatch(ctx, paths)
}

// expired reports whether something of that time is too old. A time in the
// future is a clock that was set back, and tells nothing.
func expired(at time.Time, age time.Duration) bool {
	if age < 0 {
		return false
	}
	old := time.Since(at)
	return old >= age || old < -time.Hour
}
