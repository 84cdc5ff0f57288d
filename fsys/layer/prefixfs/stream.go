package prefixfs

import (
	"context"
	"io"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// reader renames what the store's reader says.
type reader struct {
	driver.Reader
	fs    *layer
	entry driver.Entry
	path  string
}

// Entry implements [driver.Reader].
func (r *reader) Entry() driver.Entry { return r.entry }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = r.fs.failure(r.path, err)
	}
	return n, err
}

// WriteTo implements io.WriterTo, so that io.Copy finds the short cuts of
// the store's reader.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, r.Reader)
	if err != nil {
		err = r.fs.failure(r.path, err)
	}
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.fs.failure(r.path, r.Reader.Close()) }

// writer renames what the store's writer says.
type writer struct {
	driver.Writer
	fs   *layer
	path string
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	return n, w.fs.failure(w.path, err)
}

// Commit implements [driver.Writer].
func (w *writer) Commit(ctx context.Context) (driver.Entry, error) {
	e, err := w.Writer.Commit(ctx)
	if err != nil {
		return driver.Entry{}, w.fs.failure(w.path, err)
	}
	return w.fs.up("commit", e)
}

// Abort implements [driver.Writer].
func (w *writer) Abort() error { return w.fs.failure(w.path, w.Writer.Abort()) }

// copier is the layer's optional ability to copy.
type copier struct {
	f     *layer
	below driver.Copier
}

// Copy implements [driver.Copier].
func (c copier) Copy(ctx context.Context, src, dst string) (driver.Entry, error) {
	for _, path := range []string{src, dst} {
		if err := c.f.check("copy", path); err != nil {
			return driver.Entry{}, err
		}
		if path == "" {
			return driver.Entry{}, c.f.isRoot(ctx, "copy")
		}
	}
	e, err := c.below.Copy(ctx, c.f.down(src), c.f.down(dst))
	if err != nil {
		return driver.Entry{}, c.f.failure(src, err)
	}
	return c.f.up("copy", e)
}

// batchRemover is the layer's optional ability to remove many objects.
type batchRemover struct {
	f     *layer
	below driver.BatchRemover
}

// MaxRemoveBatch implements [driver.BatchRemover].
func (b batchRemover) MaxRemoveBatch() int { return b.below.MaxRemoveBatch() }

// RemoveBatch implements [driver.BatchRemover]. Paths that are refused are
// not sent.
func (b batchRemover) RemoveBatch(ctx context.Context, paths []string) []error {
	errs := make([]error, len(paths))
	var send []string
	var at []int
	for i, p := range paths {
		if errs[i] = b.f.check("remove", p); errs[i] == nil && p == "" {
			errs[i] = b.f.Remove(ctx, p)
		}
		if errs[i] == nil {
			send, at = append(send, b.f.down(p)), append(at, i)
		}
	}
	if len(send) == 0 {
		return errs
	}
	got := b.below.RemoveBatch(ctx, send)
	for j, i := range at {
		if len(got) != len(send) {
			errs[i] = fault.New("remove", paths[i], fault.Internal, nil)
			continue
		}
		errs[i] = b.f.failure(paths[i], got[j])
	}
	return errs
}

// localPather is the layer's optional ability to name local files.
type localPather struct {
	f     *layer
	below driver.LocalPather
}

// LocalPath implements [driver.LocalPather].
func (l localPather) LocalPath(path string) string { return l.below.LocalPath(l.f.down(path)) }
