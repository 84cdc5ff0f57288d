package zipfs

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// Options tunes [Open]. A nil pointer is the default, and so is each zero;
// negative means no limit.
type Options struct {
	// MaxRatio is how many times its compressed size a member may have, if
	// it has more than 64 MiB. Default 1100: deflate reaches 1,032.
	MaxRatio int64
	// MaxSize is the most bytes a member may have. Default: no limit, since
	// reading takes constant memory.
	MaxSize int64
	// MaxMembers is the most names that the table may have, directories
	// included. Default ten million.
	MaxMembers int
	// MaxTable is the most bytes that the table may have. Default 1 GiB.
	MaxTable int64
}

const (
	noLimit      = 1<<63 - 1
	ratioApplies = 64 << 20
)

func (o *Options) withDefaults() *Options {
	var d Options
	if o != nil {
		d = *o
	}
	for _, v := range []struct {
		p   *int64
		def int64
	}{{&d.MaxRatio, 1100}, {&d.MaxSize, noLimit}, {&d.MaxTable, 1 << 30}} {
		if *v.p == 0 {
			*v.p = v.def
		} else if *v.p < 0 {
			*v.p = noLimit
		}
	}
	if d.MaxMembers == 0 {
		d.MaxMembers = 10_000_000
	} else if d.MaxMembers < 0 {
		d.MaxMembers = int(^uint(0) >> 1)
	}
	return &d
}

// An FS is a zip archive. It implements [driver.FS], for reading.
type FS struct {
	inner *fsys.FS
	path  string
	opts  *Options

	mu     sync.Mutex
	now    *table // nil after a change was noticed
	closed bool
}

var _ driver.FS = (*FS)(nil)

// A table is the contents of one version of the archive.
type table struct {
	src   *archive.Source
	index *archive.Index[member]
	data  sync.Map // header offset → offset of the data, where it is known
}

// Open reads the table of contents of the archive at path of inner, which
// stays the caller's. opts may be nil.
func Open(ctx context.Context, inner *fsys.FS, path string, opts *Options) (*FS, error) {
	f := &FS{inner: inner, path: path, opts: opts.withDefaults()}
	var err error
	if f.now, err = f.load(ctx); err != nil {
		return nil, err
	}
	return f, nil
}

// Backend returns how "zip://member::URL" plugs into a mux. It has no
// options in URLs. opts may be nil.
func Backend(opts *Options) fsys.Backend {
	return fsys.Backend{
		Over: func(ctx context.Context, inner *fsys.FS, path string, link fsys.LinkOptions) (driver.FS, error) {
			if len(link) > 0 {
				return nil, fault.New("open", inner.URL(path), fault.Invalid, errors.New("zip has no options"))
			}
			f, err := Open(ctx, inner, path, opts)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
	}
}

func (f *FS) load(ctx context.Context) (*table, error) {
	src, tail, err := archive.OpenTail(ctx, f.inner, f.path, tailBytes)
	if err != nil {
		return nil, err
	}
	index, err := readTable(ctx, src, tail, f.opts)
	if err != nil {
		return nil, archive.Dress("open", src.URL(), err)
	}
	return &table{src: src, index: index}, nil
}

// table begins every operation.
func (f *FS) table(ctx context.Context, op, path string) (*table, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.New(op, path, fault.KindOf(err), context.Cause(ctx))
	}
	f.mu.Lock()
	t, closed := f.now, f.closed
	f.mu.Unlock()
	switch {
	case closed:
		return nil, fault.New(op, path, fault.Invalid, errors.New("the file system is closed"))
	case t != nil:
		return t, nil
	}
	t, err := f.load(ctx) // several may, after a change; the last stays
	if err != nil {
		return nil, absent(op, path, err)
	}
	f.mu.Lock()
	f.now = t
	f.mu.Unlock()
	return t, nil
}

// absent keeps an archive that has gone from reading as an absent member.
func absent(op, path string, err error) error {
	if fault.KindOf(err) == fault.NotExist {
		return fault.New(op, path, fault.Changed, errors.New("the archive has been removed"))
	}
	return fault.New(op, path, fault.Unknown, err)
}

// noticed makes the next operation read the table again after a change.
func (f *FS) noticed(t *table, err error) {
	if fault.KindOf(err) != fault.Changed {
		return
	}
	f.mu.Lock()
	if f.now == t {
		f.now = nil
	}
	f.mu.Unlock()
}

// Stat implements [driver.FS]. It sends no request.
func (f *FS) Stat(ctx context.Context, path string) (driver.Entry, error) {
	t, err := f.table(ctx, "stat", path)
	if err != nil {
		return driver.Entry{}, err
	}
	it, err := t.index.Find("stat", path)
	if err != nil {
		return driver.Entry{}, err
	}
	return it.Entry, nil
}

// List implements [driver.FS]. It sends no request.
func (f *FS) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		t, err := f.table(ctx, "list", dir)
		if err != nil {
			yield(driver.Entry{}, err)
			return
		}
		t.index.List(ctx, dir, opts)(yield)
	}
}

// Create fails: an archive is written as a whole, with [Create].
func (f *FS) Create(_ context.Context, path string, _ driver.CreateOptions) (driver.Writer, error) {
	return nil, readOnly("create", path)
}

// Remove fails: an archive is written as a whole, with [Create].
func (f *FS) Remove(_ context.Context, path string) error { return readOnly("remove", path) }

func readOnly(op, path string) error {
	return fault.New(op, path, fault.Unsupported, errors.New("an archive that exists is not changed; write a new one"))
}

// Close implements [driver.FS]. Readers that are open can be read to their
// end.
func (f *FS) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now, f.closed = nil, true
	return nil
}
