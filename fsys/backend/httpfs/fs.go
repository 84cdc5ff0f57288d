package httpfs

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/httpwire"
)

// shared is the transport of all servers; it bounds the connections to each.
var shared = httpwire.Shared{Options: httpwire.Options{MaxConns: 512}}

// Options tunes [Open].
type Options struct {
	// Header is sent with every request to the server, but not to where it
	// redirects. Default: nothing.
	Header http.Header
	// Transport carries the requests. Default: one that all stores of the
	// process share, with at most 512 connections to a host.
	Transport http.RoundTripper
	// Prefetch is how many index pages a recursive listing reads ahead.
	// Default 8; negative: none.
	Prefetch int
}

// An FS is a web server. It implements [driver.FS], for reading.
type FS struct {
	base      *url.URL // without a path
	header    http.Header
	transport http.RoundTripper
	ahead     int
	closed    atomic.Bool
	done      sync.Once
	free      func()
}

var _ driver.FS = (*FS)(nil)

// Open returns the server that root, "http://host" with an optional query,
// names. It sends no request. opts may be nil.
func Open(ctx context.Context, root string, opts *Options) (*FS, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.New("connect", root, fault.Unknown, err)
	}
	root, path, err := Split(root, false)
	if err == nil && path != "" {
		err = &fault.Error{Op: "connect", Path: root, Kind: fault.Invalid, Err: errors.New("a path where only a server can be")}
	}
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(root)
	if err != nil {
		return nil, &fault.Error{Op: "connect", Path: root, Kind: fault.Invalid, Err: err}
	}
	if opts == nil {
		opts = &Options{}
	}
	f := &FS{base: base, header: opts.Header.Clone(), transport: opts.Transport, ahead: opts.Prefetch, free: func() {}}
	if f.ahead == 0 {
		f.ahead = 8
	}
	if f.transport == nil {
		f.transport, f.free = shared.Acquire(), shared.Release
	}
	return f, nil
}

// Backend returns how the schemes http and https plug into a mux. All stores
// are opened with opts, which may be nil.
func Backend(opts *Options) fsys.Backend {
	return fsys.Backend{
		Split:  Split,
		Join:   Join,
		Secret: secretQuery,
		Open: func(ctx context.Context, root string) (driver.FS, error) {
			f, err := Open(ctx, root, opts)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
	}
}

// Close releases the connections. Readers that are open can be read to their
// end; every other call after it fails.
func (f *FS) Close() error {
	f.done.Do(func() {
		f.closed.Store(true)
		f.free()
	})
	return nil
}

// Stat describes what is at path with a HEAD request, or a GET of one byte
// where the server does not like HEAD. A server says that path is a directory
// by redirecting to path+"/", or by having nothing at path but something at
// path+"/".
func (f *FS) Stat(ctx context.Context, path string) (driver.Entry, error) {
	dir := driver.Entry{Path: strings.TrimSuffix(path, "/"), Kind: driver.Dir, Size: -1}
	a, err := f.head(ctx, "stat", path)
	if err != nil {
		return driver.Entry{}, err
	}
	defer httpwire.Drain(a.Body)
	switch {
	case a.dir:
		return dir, nil
	case path == "" && a.StatusCode < 500 && a.StatusCode != http.StatusUnauthorized && a.StatusCode != http.StatusTooManyRequests:
		return dir, nil // the server is there, whatever it has at "/"
	case a.StatusCode/100 != 2:
		err := f.refused("stat", path, a)
		if isDir, direrr := f.isDir(ctx, "stat", path, err); direrr != nil {
			return driver.Entry{}, direrr
		} else if isDir {
			return dir, nil
		}
		return driver.Entry{}, err
	case strings.HasSuffix(path, "/"):
		return dir, nil
	}
	size := a.ContentLength
	if a.StatusCode == http.StatusPartialContent {
		r, _ := httpwire.ParseRange(a.Header.Get("Content-Range"))
		size = r.Size
	}
	return entryOf(path, a.Header, size), nil
}

// head asks for the headers of path. A server that refuses HEAD, or a
// signature that is good for GET only, is asked for the first byte instead.
func (f *FS) head(ctx context.Context, op, path string) (*answer, error) {
	a, err := f.get(ctx, op, "HEAD", path, nil)
	if err != nil {
		return nil, err
	}
	switch a.StatusCode {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented:
	default:
		return a, nil
	}
	httpwire.Drain(a.Body)
	a, err = f.get(ctx, op, "GET", path, http.Header{"Range": {"bytes=0-0"}})
	if err != nil {
		return nil, err
	}
	if a.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		// It has no first byte.
		if r, ok := httpwire.ParseRange(a.Header.Get("Content-Range")); ok && r.Size == 0 || !ok {
			a.StatusCode, a.ContentLength = http.StatusOK, 0
		}
	}
	return a, nil
}

// isDir reports whether something is at path+"/", given that nothing is at
// path, as err says. Other errors mean no.
func (f *FS) isDir(ctx context.Context, op, path string, err error) (bool, error) {
	if fault.KindOf(err) != fault.NotExist || path == "" || strings.HasSuffix(path, "/") {
		return false, nil
	}
	a, err := f.head(ctx, op, path+"/")
	if err != nil {
		e := fault.New(op, path, fault.Unknown, err)
		if e.Kind == fault.Invalid {
			return false, nil // a loop of redirects, say: not a directory
		}
		return false, e
	}
	httpwire.Drain(a.Body)
	return a.StatusCode/100 == 2 && strings.HasSuffix(a.url.Path, "/"), nil
}

// Create fails: web servers are read only.
func (f *FS) Create(_ context.Context, path string, _ driver.CreateOptions) (driver.Writer, error) {
	return nil, f.readOnly("create", path)
}

// Remove fails: web servers are read only.
func (f *FS) Remove(_ context.Context, path string) error { return f.readOnly("remove", path) }

func (f *FS) readOnly(op, path string) error {
	return &fault.Error{Op: op, Path: path, Kind: fault.Unsupported, Err: errors.New("web servers are read only")}
}

// entryOf reads an entry from the headers of an answer about an object.
func entryOf(path string, h http.Header, size int64) driver.Entry {
	e := driver.Entry{Path: path, Kind: driver.File, Size: size, Version: h.Get("Etag")}
	if t, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		e.ModTime = t
		if e.Version == "" {
			// Two changes in one second differ in size, if in anything.
			e.Version = strconv.FormatInt(t.Unix(), 10) + "-" + strconv.FormatInt(size, 10)
		}
	}
	return e
}
