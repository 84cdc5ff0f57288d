package fsys

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// ReadFile returns the whole object at path.
func (f *FS) ReadFile(ctx context.Context, path string) ([]byte, error) {
	return f.read(ctx, path, &OpenOptions{})
}

// ReadRange returns n bytes of the object at path from offset off, fewer
// where the object ends before. A negative off counts from the end, a
// negative n means to the end. Zero bytes are read without a request.
func (f *FS) ReadRange(ctx context.Context, path string, off, n int64) ([]byte, error) {
	if n == 0 {
		return []byte{}, nil
	}
	return f.read(ctx, path, &OpenOptions{Offset: off, Length: max(n, 0)})
}

// presizeMax bounds what is allocated on the word of a store before its
// bytes arrive.
const presizeMax = 64 << 20

func (f *FS) read(ctx context.Context, path string, opts *OpenOptions) ([]byte, error) {
	r, err := f.Open(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// One byte more than expected lets the last Read return io.EOF without
	// the buffer growing.
	buf := bytes.NewBuffer(make([]byte, 0, min(expected(r.Entry().Size, opts), presizeMax)+bytes.MinRead))
	if _, err := buf.ReadFrom(onlyReader{r}); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// expected returns how many bytes a range of an object of size bytes has, or
// 0 when the size is not known.
func expected(size int64, opts *OpenOptions) int64 {
	if size < 0 {
		return max(opts.Length, 0)
	}
	off := opts.Offset
	if off < 0 {
		off = max(size+off, 0)
	}
	n := max(size-off, 0)
	if opts.Length > 0 {
		n = min(n, opts.Length)
	}
	return n
}

// onlyReader and onlyWriter hide io.WriterTo and io.ReaderFrom.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// WriteFile makes data the object at path, atomically.
func (f *FS) WriteFile(ctx context.Context, path string, data []byte) (Entry, error) {
	w, err := f.Create(ctx, path, &CreateOptions{SizeHint: int64(len(data))})
	if err != nil {
		return Entry{}, err
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return Entry{}, err
	}
	return w.Commit(ctx)
}

// Copy makes the object src appear at dst too, atomically: inside the store
// where it can, else through this process. The copy is of one version of
// src, complete.
func (f *FS) Copy(ctx context.Context, src, dst string) (Entry, error) {
	if c, ok := f.drv.(driver.Copier); ok {
		e, err := c.Copy(ctx, src, dst)
		switch fault.KindOf(err) {
		case fault.None:
			return e, nil
		case fault.Unsupported:
		default:
			return Entry{}, f.dress("copy", src, err)
		}
	}
	return CopyBetween(ctx, f, src, f, dst)
}

// CopyBetween copies the object src of one file system to dst of another,
// through this process and in constant memory. Fewer bytes than src has is
// an error and leaves dst as it was.
func CopyBetween(ctx context.Context, from *FS, src string, to *FS, dst string) (Entry, error) {
	r, err := from.Open(ctx, src, nil)
	if err != nil {
		return Entry{}, err
	}
	defer r.Close()
	size := r.Entry().Size
	w, err := to.Create(ctx, dst, &CreateOptions{SizeHint: max(size, 0)})
	if err != nil {
		return Entry{}, err
	}
	defer w.Abort()
	n, err := copyBytes(w, r)
	if err != nil {
		return Entry{}, err
	}
	if size > 0 && n != size {
		return Entry{}, fault.New("copy", from.URL(src), fault.Unavailable,
			fmt.Errorf("%d of %d bytes came: %w", n, size, io.ErrUnexpectedEOF))
	}
	return w.Commit(ctx)
}

// RemoveBatch deletes the objects at paths and returns one error per path,
// nil where the object is gone. Stores that can delete many with one request
// are asked in batches, others path by path.
func (f *FS) RemoveBatch(ctx context.Context, paths []string) []error {
	errs := make([]error, 0, len(paths))
	b, ok := f.drv.(driver.BatchRemover)
	if !ok {
		for _, p := range paths {
			errs = append(errs, f.Remove(ctx, p))
		}
		return errs
	}
	for len(paths) > 0 {
		n := min(len(paths), max(b.MaxRemoveBatch(), 1))
		errs = append(errs, f.removeSome(ctx, b, paths[:n])...)
		paths = paths[n:]
	}
	return errs
}

// removeSome sends one batch. A driver that answers for the wrong number of
// paths has answered for none.
func (f *FS) removeSome(ctx context.Context, b driver.BatchRemover, paths []string) []error {
	got := b.RemoveBatch(ctx, paths)
	errs := make([]error, len(paths))
	for i, p := range paths {
		if len(got) != len(paths) {
			errs[i] = fault.New("remove", f.URL(p), fault.Internal,
				fmt.Errorf("%d answers for %d paths", len(got), len(paths)))
			continue
		}
		errs[i] = f.dress("remove", p, got[i])
	}
	return errs
}
