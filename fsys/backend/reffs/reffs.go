package reffs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// Options tunes [Open]. Each zero is the default; negative means no limit.
type Options struct {
	// Resolve finds the targets that have a scheme: the Resolve of a mux.
	// Without it they are refused.
	Resolve func(ctx context.Context, url string) (*fsys.FS, string, error)
	// Trusted lets targets be local files anywhere, and chains.
	Trusted bool
	// MaxFile is the most bytes that a reference file may have. Default 512
	// MiB; it is held in memory.
	MaxFile int64
	// MaxNames is the most names that there may be, directories included.
	// Default ten million.
	MaxNames int
	// MaxGap is how many bytes between two ranges are read and dropped, to
	// save a request. Default 64 KiB; negative: none.
	MaxGap int64
}

func (o *Options) withDefaults() *Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.MaxFile == 0 {
		d.MaxFile = 512 << 20
	} else if d.MaxFile < 0 {
		d.MaxFile = 1<<63 - 1
	}
	if d.MaxNames == 0 {
		d.MaxNames = 10_000_000
	} else if d.MaxNames < 0 {
		d.MaxNames = int(^uint(0) >> 1)
	}
	if d.MaxGap == 0 {
		d.MaxGap = 64 << 10
	}
	return &d
}

// An FS is a reference file. It implements [driver.FS], for reading.
type FS struct {
	inner *fsys.FS
	dir   string // that of the reference file, with its "/", or ""
	opts  *Options
	held  *archive.Held[*table]
}

var _ driver.FS = (*FS)(nil)

// A table is one version of the file.
type table struct {
	src   *archive.Source
	index *archive.Index[ref]
}

// Open reads the reference file at path of inner, which stays the caller's.
// opts may be nil.
func Open(ctx context.Context, inner *fsys.FS, path string, opts *Options) (*FS, error) {
	f := &FS{inner: inner, dir: path[:strings.LastIndexByte(path, '/')+1], opts: opts.withDefaults()}
	var err error
	f.held, err = archive.Hold(ctx, func(ctx context.Context) (*table, archive.Origin, error) {
		return load(ctx, inner, path, f.opts)
	}, nil)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func load(ctx context.Context, inner *fsys.FS, path string, o *Options) (*table, archive.Origin, error) {
	src, err := archive.OpenSource(ctx, inner, path)
	if err != nil {
		return nil, nil, err
	}
	data, err := src.ReadAll(ctx, o.MaxFile)
	if err != nil {
		return nil, nil, err
	}
	t := &table{src: src}
	items, err := parse(data, o.MaxNames)
	if err == nil {
		t.index, err = archive.Build(items, o.MaxNames)
	}
	if err != nil {
		return nil, nil, archive.Dress("open", src.URL(), err)
	}
	return t, src, nil
}

// Backend returns how "reference://name::URL" plugs into a mux. The option
// trusted=true in a URL is [Options.Trusted]. opts may be nil.
func Backend(opts *Options) fsys.Backend {
	return fsys.Backend{
		Over: func(ctx context.Context, inner *fsys.FS, path string, link fsys.LinkOptions) (driver.FS, error) {
			var o Options
			if opts != nil {
				o = *opts
			}
			for name, value := range link {
				if name != "trusted" || value != "true" {
					return nil, fault.New("open", inner.URL(path), fault.Invalid, fmt.Errorf("unknown option %s=%s; trusted=true is known", name, value))
				}
				o.Trusted = true
			}
			f, err := Open(ctx, inner, path, &o)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
	}
}

// resolve finds a target and whether it may be read.
func (f *FS) resolve(ctx context.Context, url string) (*fsys.FS, string, error) {
	refuse := func(text string) (*fsys.FS, string, error) {
		return nil, "", fault.New("resolve", url, fault.Refused, errors.New(text))
	}
	fs, path := f.inner, ""
	switch scheme := fsys.Scheme(url); {
	case strings.Contains(url, "::") && !f.opts.Trusted:
		return refuse("a chain of URLs in a reference file that is not trusted")
	case scheme == "" && !strings.Contains(url, "::") && !strings.HasPrefix(url, "data:"):
		if path = f.dir + url; strings.HasPrefix(url, "/") {
			path = url[1:]
		}
	case f.opts.Resolve == nil:
		return refuse("targets in other stores are not allowed")
	default:
		var err error
		if fs, path, err = f.opts.Resolve(ctx, url); err != nil {
			return nil, "", err
		}
	}
	if !f.opts.Trusted && local(fs, path) && !f.beside(fs, path) {
		return refuse("a local file outside of the folder of a reference file that is not trusted (reference,trusted=true::…)")
	}
	return fs, path, nil
}

// local reports whether path is a file of this machine, seen through layers
// or not.
func local(fs *fsys.FS, path string) bool {
	if _, ok := fs.LocalPath(path); ok {
		return true
	}
	spec, err := fs.Spec()
	if err != nil {
		return false // no mux opened it, or its URL has a credential
	}
	last := spec.Links[len(spec.Links)-1].Scheme
	return last == "" || last == "file"
}

// beside reports whether path of fs lies below the folder of the reference
// file.
func (f *FS) beside(fs *fsys.FS, path string) bool {
	if fs != f.inner {
		_, here := f.inner.LocalPath(f.dir)
		_, there := fs.LocalPath(path)
		if !here || !there {
			return false
		}
	}
	return strings.HasPrefix(path, f.dir) && !climbs(path)
}

// climbs reports whether a path goes up again.
func climbs(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

// Stat implements [driver.FS]. For a name that lies elsewhere it asks there.
func (f *FS) Stat(ctx context.Context, path string) (driver.Entry, error) {
	t, err := f.held.Get(ctx, "stat", path)
	if err != nil {
		return driver.Entry{}, err
	}
	it, err := t.index.Find("stat", path)
	switch {
	case err != nil:
		return driver.Entry{}, err
	case it.Kind != driver.File:
		return it.Entry, nil
	}
	return f.stat(ctx, t, it)
}

// List implements [driver.FS]. It asks no target.
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

// Create fails: reference files are read only.
func (f *FS) Create(_ context.Context, path string, _ driver.CreateOptions) (driver.Writer, error) {
	return nil, readOnly("create", path)
}

// Remove fails: reference files are read only.
func (f *FS) Remove(_ context.Context, path string) error { return readOnly("remove", path) }

func readOnly(op, path string) error {
	return fault.New(op, path, fault.Unsupported, errors.New("reference files are read only"))
}

// Close implements [driver.FS]. It closes no target.
func (f *FS) Close() error { return f.held.Close() }
