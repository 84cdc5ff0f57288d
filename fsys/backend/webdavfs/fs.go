package webdavfs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/httpfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/dirwalk"
	"github.com/leat-dev/leat/internal/httpwire"
)

// shared is the transport of all servers; it bounds the connections to each.
var shared = httpwire.Shared{Options: httpwire.Options{MaxConns: 256}}

// Options tunes [Open]. A nil pointer is the default, and so is each zero.
type Options struct {
	// User and Password are sent with every request (basic authentication).
	// Default: LEAT_WEBDAV_USER and LEAT_WEBDAV_PASSWORD; no user: nothing.
	User, Password string
	// Header is sent with every request. Default: nothing.
	Header http.Header
	// Prefetch is how many collections a recursive listing reads ahead.
	// Default 8; negative: none.
	Prefetch int
}

const tempPrefix = ".leat-tmp-"

// An FS is a WebDAV server. It implements [driver.FS] and [driver.Copier].
type FS struct {
	base      *url.URL // http or https, without a path
	header    http.Header
	transport http.RoundTripper
	web       *httpfs.FS // for reading
	ahead     int
	closed    atomic.Bool
	done      sync.Once
}

var (
	_ driver.FS     = (*FS)(nil)
	_ driver.Copier = (*FS)(nil)
)

// Open returns the server that root, "webdav://host" or "webdavs://host",
// names. It sends no request. opts may be nil.
func Open(ctx context.Context, root string, opts *Options) (*FS, error) {
	root, path, err := Split(root, false)
	if err == nil && path != "" {
		err = fault.New("connect", root, fault.Invalid, errors.New("a path where only a server can be"))
	}
	if err != nil {
		return nil, err
	}
	base, err := url.Parse("http" + strings.TrimPrefix(root, "webdav"))
	if err != nil {
		return nil, fault.New("connect", root, fault.Invalid, err)
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.User == "" {
		o.User, o.Password = os.Getenv("LEAT_WEBDAV_USER"), os.Getenv("LEAT_WEBDAV_PASSWORD")
	}
	if o.Prefetch == 0 {
		o.Prefetch = 8
	}
	f := &FS{base: base, header: o.Header.Clone(), ahead: o.Prefetch}
	if f.header == nil {
		f.header = http.Header{}
	}
	f.header.Set("User-Agent", "leat")
	if o.User != "" {
		f.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(o.User+":"+o.Password)))
	}
	f.transport = shared.Acquire()
	if f.web, err = httpfs.Open(ctx, base.String(), &httpfs.Options{Header: f.header, Transport: f.transport}); err != nil {
		shared.Release()
		return nil, err
	}
	return f, nil
}

// Backend returns how the schemes webdav and webdavs plug into a mux. opts
// may be nil.
func Backend(opts *Options) fsys.Backend {
	return fsys.Backend{
		Split: Split,
		Join:  func(root, path string) string { return root + "/" + path },
		Open: func(ctx context.Context, root string) (driver.FS, error) {
			f, err := Open(ctx, root, opts)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
	}
}

// Split cuts "webdav://host/path" into the server and the path, which is
// every byte after the slash. It is the Split of a backend.
func Split(rawURL string, _ bool) (root, path string, err error) {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	scheme = strings.ToLower(scheme)
	if scheme != "webdav" && scheme != "webdavs" {
		return "", "", fault.New("split", rawURL, fault.Invalid, errors.New("not a webdav:// or webdavs:// URL"))
	}
	host, path, _ := strings.Cut(rest, "/")
	if strings.Contains(host, "@") {
		// It would show in every message and listing.
		return "", "", fault.New("split", scheme+"://…", fault.Invalid, errors.New("a user name or password in a URL is not supported; set LEAT_WEBDAV_USER and LEAT_WEBDAV_PASSWORD"))
	}
	u, err := url.Parse("http" + strings.TrimPrefix(scheme, "webdav") + "://" + host)
	if err != nil || u.Hostname() == "" || u.Host != host {
		return "", "", fault.New("split", rawURL, fault.Invalid, errors.New("host is missing or wrong"))
	}
	host = strings.ToLower(host)
	if p := u.Port(); p == "" || p == map[string]string{"webdav": "80", "webdavs": "443"}[scheme] {
		host = strings.TrimSuffix(host, ":"+p)
	}
	return scheme + "://" + host, path, nil
}

// Close releases the connections. Readers that are open can be read to their
// end; every other call after it fails.
func (f *FS) Close() error {
	f.done.Do(func() {
		f.closed.Store(true)
		_ = f.web.Close() // never fails
		shared.Release()
	})
	return nil
}

// check refuses what cannot be the name of a resource.
func (f *FS) check(ctx context.Context, op, path string) error {
	if err := ctx.Err(); err != nil {
		return fault.New(op, path, fault.KindOf(err), context.Cause(ctx))
	}
	if f.closed.Load() {
		return fault.New(op, path, fault.Invalid, errors.New("the file system is closed"))
	}
	if path == "" {
		return nil
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return fault.New(op, path, fault.Invalid, errors.New(`a name on a WebDAV server has no empty component, "." or ".."`))
		}
	}
	if strings.IndexByte(path, 0) >= 0 {
		return fault.New(op, path, fault.Invalid, errors.New("the name has a NUL byte"))
	}
	return nil
}

// Stat implements [driver.FS].
func (f *FS) Stat(ctx context.Context, path string) (driver.Entry, error) {
	if err := f.check(ctx, "stat", path); err != nil {
		return driver.Entry{}, err
	}
	all, err := f.propfind(ctx, "stat", path, "0")
	if err != nil {
		return driver.Entry{}, err
	}
	for _, e := range all {
		if e.Path != path {
			continue
		}
		if e.Kind == driver.Dir || e.Version != "" {
			return e, nil
		}
		// Some servers tell the ETag with the object alone.
		return f.web.Stat(ctx, path)
	}
	return driver.Entry{}, fault.New("stat", path, fault.Unavailable, errors.New("the server describes something else"))
}

// List implements [driver.FS].
func (f *FS) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return dirwalk.List(ctx, dir, opts, f.ahead, f.readDir)
}

// readDir returns the members of a collection.
func (f *FS) readDir(ctx context.Context, dir string) ([]driver.Entry, error) {
	if err := f.check(ctx, "list", dir); err != nil {
		return nil, err
	}
	all, err := f.propfind(ctx, "list", dir, "1")
	if err != nil {
		return nil, err
	}
	base := ""
	if dir != "" {
		base = dir + "/"
	}
	var members []driver.Entry
	self := false
	for _, e := range all {
		name, below := strings.CutPrefix(e.Path, base)
		switch {
		case e.Path == dir:
			if self = true; e.Kind != driver.Dir {
				return nil, fault.New("list", dir, fault.NotExist, errors.New("not a directory"))
			}
		case !below || name == "" || strings.Contains(name, "/"):
			return nil, fault.New("list", dir, fault.Unavailable, fmt.Errorf("the server lists %q, which does not lie there", e.Path))
		case strings.HasPrefix(name, tempPrefix) || name == "." || name == "..":
		default:
			members = append(members, e)
		}
	}
	if !self {
		return nil, fault.New("list", dir, fault.Unavailable, errors.New("the server does not describe the collection itself"))
	}
	return members, nil
}

// Open implements [driver.FS].
func (f *FS) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	if err := f.check(ctx, "open", path); err != nil {
		return nil, err
	}
	r, err := f.web.Open(ctx, path, opts)
	switch fault.KindOf(err) {
	case fault.None, fault.NotExist, fault.IsDir, fault.Canceled, fault.Timeout, fault.Throttled, fault.Changed:
		return r, err
	}
	// Servers have many ways to refuse the GET of a collection.
	if e, serr := f.Stat(ctx, path); serr == nil && e.Kind == driver.Dir {
		return nil, fault.New("open", path, fault.IsDir, nil)
	}
	return nil, err
}

// Remove implements [driver.FS].
func (f *FS) Remove(ctx context.Context, path string) error {
	if err := f.check(ctx, "remove", path); err != nil {
		return err
	}
	if path == "" {
		return fault.New("remove", path, fault.Invalid, errors.New("the root cannot be removed"))
	}
	all, err := f.propfind(ctx, "remove", path, "1")
	if err != nil {
		return err
	}
	name := path
	if len(all) > 1 {
		return fault.New("remove", path, fault.Exist, errors.New("the directory is not empty"))
	} else if len(all) == 1 && all[0].Kind == driver.Dir {
		name += "/"
	}
	return f.simple(ctx, "remove", "DELETE", name, nil)
}

// Copy implements [driver.Copier].
func (f *FS) Copy(ctx context.Context, src, dst string) (driver.Entry, error) {
	e, err := f.Stat(ctx, src)
	if err == nil && e.Kind == driver.Dir {
		err = fault.New("copy", src, fault.IsDir, nil)
	}
	if err != nil {
		return driver.Entry{}, fault.New("copy", src, fault.Unknown, err)
	}
	w, err := f.Create(ctx, dst, driver.CreateOptions{})
	if err != nil {
		return driver.Entry{}, err
	}
	defer func() { _ = w.Abort() }()
	header := http.Header{"Destination": {f.url(w.(*writer).temp).String()}, "Overwrite": {"F"}, "Depth": {"0"}}
	if err := f.simple(ctx, "copy", "COPY", src, header); err != nil {
		return driver.Entry{}, err
	}
	w.(*writer).sent = true
	return w.Commit(ctx)
}
