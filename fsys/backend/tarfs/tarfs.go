package tarfs

import (
	"context"
	"errors"
	"iter"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// Options tunes [Open]. A nil pointer is the default, and so is each zero;
// negative means no limit.
type Options struct {
	// MaxRatio is how many times its compressed size an archive may have, if
	// it has more than 64 MiB. Default 1100: gzip reaches 1,032.
	MaxRatio int64
	// MaxSize is the most bytes that a compressed archive may unpack to.
	// Default: no limit, since reading takes constant memory.
	MaxSize int64
	// MaxMembers is the most names that the archive may have, directories
	// included. Default ten million.
	MaxMembers int
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
	limit := func(p *int64, def int64) {
		if *p == 0 {
			*p = def
		} else if *p < 0 {
			*p = noLimit
		}
	}
	limit(&d.MaxRatio, 1100)
	limit(&d.MaxSize, noLimit)
	if d.MaxMembers == 0 {
		d.MaxMembers = 10_000_000
	} else if d.MaxMembers < 0 {
		d.MaxMembers = int(^uint(0) >> 1)
	}
	return &d
}

// An FS is a tar archive. It implements [driver.FS], for reading.
type FS struct {
	opts *Options
	held *archive.Held[*table]
}

var _ driver.FS = (*FS)(nil)

// Open goes over the archive at path of inner, which stays the caller's, and
// makes its table. opts may be nil.
func Open(ctx context.Context, inner *fsys.FS, path string, opts *Options) (*FS, error) {
	o := opts.withDefaults()
	held, err := archive.Hold(ctx, func(ctx context.Context) (*table, archive.Origin, error) {
		src, err := archive.OpenSource(ctx, inner, path)
		if err != nil {
			return nil, nil, err
		}
		t, err := scan(ctx, src, o)
		if err != nil {
			return nil, nil, archive.Dress("open", src.URL(), err)
		}
		return t, src, nil
	}, func(t *table) { t.spare.close() })
	if err != nil {
		return nil, err
	}
	return &FS{opts: o, held: held}, nil
}

// Backend returns how "tar://member::URL" plugs into a mux. It has no
// options in URLs. opts may be nil.
func Backend(opts *Options) fsys.Backend {
	return fsys.Backend{
		Over: func(ctx context.Context, inner *fsys.FS, path string, link fsys.LinkOptions) (driver.FS, error) {
			if len(link) > 0 {
				return nil, fault.New("open", inner.URL(path), fault.Invalid, errors.New("tar has no options"))
			}
			f, err := Open(ctx, inner, path, opts)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
	}
}

// Stat implements [driver.FS]. It asks the store at most every five
// seconds, whether the archive has changed.
func (f *FS) Stat(ctx context.Context, path string) (driver.Entry, error) {
	t, err := f.held.Get(ctx, "stat", path)
	if err != nil {
		return driver.Entry{}, err
	}
	it, err := t.index.Find("stat", path)
	if err != nil {
		return driver.Entry{}, err
	}
	return it.Entry, nil
}

// List implements [driver.FS]. It asks the store at most every five
// seconds, whether the archive has changed.
func (f *FS) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		t, err := f.held.Get(ctx, "list", dir)
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
func (f *FS) Close() error { return f.held.Close() }
