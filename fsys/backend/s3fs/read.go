package s3fs

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/httpwire"
)

// Open starts to read an object with one GET request. Only when there is
// none, a second request tells whether path is a directory.
func (f *FS) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	if path == "" {
		return nil, &fault.Error{Op: "open", Kind: fault.IsDir}
	}
	q := &request{op: "open", path: path, method: "GET", key: path, stream: true, header: conditions(opts)}
	byteRange := httpwire.RangeHeader(opts)
	if byteRange != "" {
		q.header["Range"] = byteRange
	}
	resp, err := f.c.do(ctx, q)
	if hasStatus(err, http.StatusRequestedRangeNotSatisfiable) {
		return f.openEmpty(ctx, path, opts)
	}
	if err != nil {
		return nil, f.absent(ctx, "open", path, err)
	}
	r, err := newReader(ctx, path, opts, byteRange != "", resp)
	if err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return r, nil
}

// conditions returns the headers that pin a version.
func conditions(opts driver.OpenOptions) map[string]string {
	h := map[string]string{}
	if opts.Version != "" {
		h["If-Match"] = etag(opts.Version)
	}
	return h
}

// openEmpty is for a range that begins past the end of the object.
func (f *FS) openEmpty(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	e, err := f.head(ctx, "open", path, path, conditions(opts))
	if err != nil {
		return nil, err
	}
	past := opts.Offset >= e.Size
	if opts.Offset < 0 {
		past = e.Size == 0
	}
	if !past {
		err := errors.New("the object grew while it was being opened")
		return nil, &fault.Error{Op: "open", Path: path, Kind: fault.Unavailable, Err: err}
	}
	return httpwire.NewReader(ctx, e, nil, 0, true), nil
}

// newReader checks that the answer is what was asked for.
func newReader(ctx context.Context, path string, opts driver.OpenOptions, ranged bool, resp *http.Response) (driver.Reader, error) {
	fail := func(kind fault.Kind, format string, args ...any) error {
		return &fault.Error{Op: "open", Path: path, Kind: kind, Err: fmt.Errorf(format, args...)}
	}
	n, size := resp.ContentLength, resp.ContentLength
	// A service may answer with the whole object where that is no more than
	// what was asked for, but for the end.
	whole := resp.StatusCode == http.StatusOK && (opts.Offset == 0 || size == 0)
	if ranged && !whole {
		header := resp.Header.Get("Content-Range")
		got, ok := httpwire.ParseRange(header)
		if resp.StatusCode != http.StatusPartialContent || !ok || !got.Covers(opts) {
			return nil, fail(fault.Unavailable, "asked for a range, got status %d and Content-Range %q", resp.StatusCode, header)
		}
		n, size = got.Last-got.First+1, got.Size
		if resp.ContentLength >= 0 && resp.ContentLength != n {
			return nil, fail(fault.Unavailable, "Content-Range %q does not fit Content-Length %d", header, resp.ContentLength)
		}
	} else if !whole {
		return nil, fail(fault.Unavailable, "asked for all of it, got status %d", resp.StatusCode)
	}
	e := entryOf(path, resp.Header, size)
	if opts.Version != "" && e.Version != opts.Version {
		return nil, fail(fault.Changed, "version is %q, not %q", e.Version, opts.Version)
	}
	if isMarker(path, size) {
		return nil, &fault.Error{Op: "open", Path: path, Kind: fault.IsDir}
	}
	exact := n >= 0
	if opts.Length > 0 && (n < 0 || n > opts.Length) {
		n = opts.Length
	}
	return httpwire.NewReader(ctx, e, resp.Body, n, exact), nil
}

// hasStatus reports whether err is a reply with the HTTP status.
func hasStatus(err error, status int) bool {
	var r *reply
	return errors.As(err, &r) && r.status == status
}
