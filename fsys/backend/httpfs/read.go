package httpfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/httpwire"
)

// Open starts to read an object with one GET request. From a server that
// ignores ranges it reads the object from its beginning and drops what is
// before opts.Offset, which costs time but gives the right bytes.
func (f *FS) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	if path == "" || strings.HasSuffix(path, "/") {
		return nil, f.fail("open", path, fault.IsDir, nil)
	}
	header := http.Header{}
	byteRange := httpwire.RangeHeader(opts)
	if byteRange != "" {
		header.Set("Range", byteRange)
	}
	if v := opts.Version; strings.HasPrefix(v, `"`) { // a weak ETag never matches
		header.Set("If-Match", v)
	}
	a, err := f.get(ctx, "open", "GET", path, header)
	if err != nil {
		return nil, err
	}
	r, err := f.reader(ctx, path, opts, byteRange != "", a)
	if err != nil {
		_ = a.Body.Close()
		return nil, err
	}
	return r, nil
}

// reader returns the reader for an answer.
func (f *FS) reader(ctx context.Context, path string, opts driver.OpenOptions, ranged bool, a *answer) (driver.Reader, error) {
	switch {
	case a.dir:
		return nil, f.fail("open", path, fault.IsDir, nil)
	case a.StatusCode == http.StatusRequestedRangeNotSatisfiable && ranged:
		httpwire.Drain(a.Body)
		return f.empty(ctx, path, opts)
	case a.StatusCode == http.StatusPartialContent && ranged:
		return f.partial(ctx, path, opts, a)
	case a.StatusCode == http.StatusOK:
		return f.whole(ctx, path, opts, a)
	case a.StatusCode/100 == 2:
		return nil, f.fail("open", path, fault.Unavailable, errors.New(statusText(a.Response, nil)))
	}
	err := f.refused("open", path, a)
	if isDir, direrr := f.isDir(ctx, "open", path, err); direrr != nil {
		return nil, direrr
	} else if isDir {
		return nil, f.fail("open", path, fault.IsDir, nil)
	}
	return nil, err
}

// partial reads the range that was asked for.
func (f *FS) partial(ctx context.Context, path string, opts driver.OpenOptions, a *answer) (driver.Reader, error) {
	header := a.Header.Get("Content-Range")
	got, ok := httpwire.ParseRange(header)
	n := got.Last - got.First + 1
	if a.ContentLength == 0 && strings.HasSuffix(header, "/0") {
		// Go's server says "bytes 0--1/0" of an empty file.
		got, ok, n = httpwire.Range{Last: -1}, true, 0
	} else if !got.Covers(opts) {
		ok = false
	}
	if !ok || a.ContentLength >= 0 && a.ContentLength != n {
		err := fmt.Errorf("asked for %s, got Content-Range %q and Content-Length %d", httpwire.RangeHeader(opts), header, a.ContentLength)
		return nil, f.fail("open", path, fault.Unavailable, err)
	}
	e := entryOf(path, a.Header, got.Size)
	if err := f.sameVersion(e, opts); err != nil {
		return nil, err
	}
	if opts.Length > 0 {
		n = min(n, opts.Length)
	}
	return httpwire.NewReader(ctx, e, a.Body, n, true), nil
}

// whole reads what was asked for out of the whole object.
func (f *FS) whole(ctx context.Context, path string, opts driver.OpenOptions, a *answer) (driver.Reader, error) {
	size := a.ContentLength
	e := entryOf(path, a.Header, size)
	if err := f.sameVersion(e, opts); err != nil {
		return nil, err
	}
	skip := opts.Offset
	if skip < 0 {
		if size < 0 {
			err := errors.New("the end was asked for, but the server ignores ranges and does not say where the end is")
			return nil, f.fail("open", path, fault.Unsupported, err)
		}
		skip = max(0, size+skip)
	}
	if size >= 0 && skip >= size {
		_ = a.Body.Close()
		return httpwire.NewReader(ctx, e, nil, 0, true), nil
	}
	all := httpwire.NewReader(ctx, e, a.Body, size, size >= 0)
	if _, err := io.CopyN(io.Discard, all, skip); err == io.EOF {
		return all, nil // past the end of an object of unknown size: empty
	} else if err != nil {
		return nil, fault.New("open", path, fault.Unknown, err)
	}
	n := size - skip
	if size < 0 {
		n = -1
	}
	if opts.Length > 0 && (n < 0 || n > opts.Length) {
		n = opts.Length
	}
	return httpwire.NewReader(ctx, e, a.Body, n, size >= 0), nil
}

// empty is for a range that begins past the end of the object.
func (f *FS) empty(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	a, err := f.head(ctx, "open", path)
	if err != nil {
		return nil, err
	}
	if a.StatusCode/100 != 2 {
		return nil, f.refused("open", path, a)
	}
	httpwire.Drain(a.Body)
	e := entryOf(path, a.Header, a.ContentLength)
	if err := f.sameVersion(e, opts); err != nil {
		return nil, err
	}
	if e.Size > 0 && opts.Offset < e.Size {
		err := errors.New("the server refused a range that is inside the object")
		return nil, f.fail("open", path, fault.Unavailable, err)
	}
	return httpwire.NewReader(ctx, e, nil, 0, true), nil
}

// sameVersion fails unless e is the version asked for. It does not rely on
// the server, which may not know conditions.
func (f *FS) sameVersion(e driver.Entry, opts driver.OpenOptions) error {
	if opts.Version == "" || e.Version == opts.Version {
		return nil
	}
	return f.fail("open", e.Path, fault.Changed, fmt.Errorf("version is %q, not %q", e.Version, opts.Version))
}
