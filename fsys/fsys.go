package fsys

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// The types of the storage seam, under the names that users of fsys need.
type (
	// An Entry describes an object or a directory.
	Entry = driver.Entry
	// A Kind says what an entry is.
	Kind = driver.Kind
	// A Reader reads one object; it belongs to one goroutine.
	Reader = driver.Reader
	// A Writer writes one object and ends with Commit or Abort; it belongs
	// to one goroutine.
	Writer = driver.Writer
	// ListOptions tunes [FS.List].
	ListOptions = driver.ListOptions
	// OpenOptions tunes [FS.Open].
	OpenOptions = driver.OpenOptions
	// CreateOptions tunes [FS.Create].
	CreateOptions = driver.CreateOptions
)

// The kinds of entry.
const (
	File  = driver.File  // can be opened
	Dir   = driver.Dir   // can be listed
	Other = driver.Other // device, socket, dangling link: neither
)

// An FS is the portable view of one store. It is safe for concurrent use.
// The zero value is not usable; see [New] and [Mux.Resolve].
type FS struct {
	drv    driver.FS
	root   string
	join   func(root, path string) string
	shared bool // a Mux owns drv

	links   []Link       // how a Mux opened it
	secret  bool         // root holds a credential
	release func() error // of a handle, which Close ends
}

// New returns the file system that drv stores. root is the URL prefix that
// names it in messages, such as "s3://bucket"; a path is joined to it with
// a "/". The FS owns drv: [FS.Close] closes it.
func New(drv driver.FS, root string) *FS {
	return &FS{drv: drv, root: root, join: joinSlash}
}

func joinSlash(root, path string) string { return root + "/" + path }

// Root returns the prefix that identifies the store, such as "s3://bucket".
func (f *FS) Root() string { return f.root }

// URL returns the URL of path: what [Mux.Resolve] resolves to f and path.
func (f *FS) URL(path string) string { return f.join(f.root, path) }

// Driver returns the driver under f, for its optional abilities.
func (f *FS) Driver() driver.FS { return f.drv }

// LocalPath returns the name under which processes of this machine can open
// path, and whether there is one.
func (f *FS) LocalPath(path string) (string, bool) {
	if l, ok := f.drv.(driver.LocalPather); ok {
		return l.LocalPath(path), true
	}
	return "", false
}

// Close releases the connections of the store; calls after it fail. It does
// nothing on an FS that belongs to a [Mux]; one of [Mux.OpenSpec] is given
// back.
func (f *FS) Close() error {
	if f.release != nil {
		return f.release()
	}
	if f.shared {
		return nil
	}
	return f.drv.Close()
}

// Stat describes the object or directory at path.
func (f *FS) Stat(ctx context.Context, path string) (Entry, error) {
	e, err := f.drv.Stat(ctx, path)
	return e, f.dress("stat", path, err)
}

// List yields what is below dir, in byte order of the path, where a
// directory sorts as its path followed by "/"; "" is the root. An error is
// the last pair; breaking out of the loop releases everything. A nil opts
// lists one level.
func (f *FS) List(ctx context.Context, dir string, opts *ListOptions) iter.Seq2[Entry, error] {
	var o ListOptions
	if opts != nil {
		o = *opts
	}
	return func(yield func(Entry, error) bool) {
		for e, err := range f.drv.List(ctx, dir, o) {
			if err != nil {
				yield(Entry{}, f.dress("list", dir, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Open starts to read the object at path, from its beginning to its end when
// opts is nil. The caller closes the reader.
func (f *FS) Open(ctx context.Context, path string, opts *OpenOptions) (Reader, error) {
	var o OpenOptions
	if opts != nil {
		o = *opts
	}
	r, err := f.drv.Open(ctx, path, o)
	if err != nil {
		return nil, f.dress("open", path, err)
	}
	return &reader{Reader: r, fs: f, path: path}, nil
}

// Create starts to write path. Nothing is visible there until Commit
// returns nil; defer Abort, which does nothing after Commit.
func (f *FS) Create(ctx context.Context, path string, opts *CreateOptions) (Writer, error) {
	var o CreateOptions
	if opts != nil {
		o = *opts
	}
	w, err := f.drv.Create(ctx, path, o)
	if err != nil {
		return nil, f.dress("create", path, err)
	}
	return &writer{Writer: w, fs: f, path: path}, nil
}

// Remove deletes the object at path, or an empty directory. Whether an
// absent object is an error depends on the store: see [driver.FS].
func (f *FS) Remove(ctx context.Context, path string) error {
	return f.dress("remove", path, f.drv.Remove(ctx, path))
}

// dress puts the URL in place of the path, and op where there is none. The
// kind and cause stay as the driver chose them.
func (f *FS) dress(op, path string, err error) error {
	if err == nil {
		return nil
	}
	e, ok := err.(*fault.Error)
	if !ok || (e.Path != path && e.Path != "") {
		return fault.New(op, f.URL(path), fault.Unknown, err)
	}
	c := *e
	c.Path = f.URL(path)
	if c.Op == "" {
		c.Op = op
	}
	return &c
}

// reader dresses the errors of a driver's reader.
type reader struct {
	driver.Reader
	fs   *FS
	path string
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = r.fs.dress("read", r.path, err)
	}
	return n, err
}

// WriteTo implements io.WriterTo, so that io.Copy finds the short cuts of
// the driver's reader.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, r.Reader)
	var e *fault.Error
	if errors.As(err, &e) && e.Path == r.path {
		err = r.fs.dress("read", r.path, err)
	}
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.fs.dress("close", r.path, r.Reader.Close()) }

// writer dresses the errors of a driver's writer.
type writer struct {
	driver.Writer
	fs   *FS
	path string
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	return n, w.fs.dress("write", w.path, err)
}

// Commit implements driver.Writer.
func (w *writer) Commit(ctx context.Context) (Entry, error) {
	e, err := w.Writer.Commit(ctx)
	return e, w.fs.dress("commit", w.path, err)
}

// Abort implements driver.Writer.
func (w *writer) Abort() error { return w.fs.dress("abort", w.path, w.Writer.Abort()) }
