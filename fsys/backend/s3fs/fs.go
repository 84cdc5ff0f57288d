package s3fs

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/httpwire"
)

// An FS is a bucket. It implements [driver.FS], [driver.Copier] and
// [driver.BatchRemover].
type FS struct {
	c     *client
	s     *settings
	parts sync.Pool // of *[]byte with s.PartBytes capacity
	done  sync.Once
	free  func()

	// For tests to replace.
	maxCopy int64 // the largest object that one request copies
	wait    func(context.Context, time.Duration) error
}

var (
	_ driver.FS           = (*FS)(nil)
	_ driver.Copier       = (*FS)(nil)
	_ driver.BatchRemover = (*FS)(nil)
)

// Open returns the bucket that root, "s3://bucket", names. It reads files
// and the environment, and sends no request: whether the bucket exists, the
// first use of it tells. opts may be nil.
func Open(ctx context.Context, root string, opts *Options) (*FS, error) {
	bucket, err := bucketOf(ctx, root)
	if err != nil {
		return nil, err
	}
	s, err := resolve(opts)
	if err != nil {
		return nil, &fault.Error{Op: "connect", Path: root, Kind: fault.Invalid, Err: err}
	}
	f := &FS{c: newClient(bucket, s), s: s, free: func() {}, maxCopy: maxCopyBytes, wait: wait}
	f.parts.New = func() any { b := make([]byte, 0, s.PartBytes); return &b }
	if s.Transport != nil {
		f.c.bodies, f.c.control = s.Transport, s.Transport
	} else {
		f.c.bodies, f.c.control = sharedBodies.Acquire(), sharedControl.Acquire()
		f.free = func() { sharedBodies.Release(); sharedControl.Release() }
	}
	return f, nil
}

// Close releases the connections. Readers that are open can be read to their
// end; every other call after it fails.
func (f *FS) Close() error {
	f.done.Do(func() {
		f.c.closed.Store(true)
		f.c.keys.close()
		f.free()
	})
	return nil
}

// Stat describes the object at path with one HEAD request. Where there is
// none, a listing of one key tells whether path is a directory.
func (f *FS) Stat(ctx context.Context, path string) (driver.Entry, error) {
	if path == "" {
		_, err := f.c.call(ctx, &request{op: "stat", method: "HEAD"}, nil)
		if fault.KindOf(err) == fault.NotExist {
			// An answer to HEAD does not say what is missing.
			_, err = f.isDir(ctx, "stat", "")
		}
		if err != nil {
			return driver.Entry{}, err
		}
		return driver.Entry{Kind: driver.Dir, Size: -1}, nil
	}
	e, err := f.head(ctx, "stat", path, path, nil)
	dir := driver.Entry{Path: strings.TrimSuffix(path, "/"), Kind: driver.Dir, Size: -1}
	if err == nil && isMarker(e.Path, e.Size) {
		return dir, nil
	}
	if fault.KindOf(err) != fault.NotExist {
		return e, err
	}
	if isDir, direrr := f.isDir(ctx, "stat", path); direrr != nil {
		return driver.Entry{}, direrr
	} else if isDir {
		return dir, nil
	}
	return driver.Entry{}, err
}

// isMarker reports whether an object only says that there is a directory.
func isMarker(key string, size int64) bool { return size == 0 && strings.HasSuffix(key, "/") }

// head asks for the headers of an object; path is for the error.
func (f *FS) head(ctx context.Context, op, path, key string, header map[string]string) (driver.Entry, error) {
	resp, err := f.c.do(ctx, &request{op: op, path: path, method: "HEAD", key: key, header: header})
	if hasStatus(err, http.StatusBadRequest) {
		// An answer to HEAD does not say what was bad: a token that has
		// expired, say. Another request does.
		if _, why := f.isDir(ctx, op, path); why != nil {
			err = why
		}
	}
	if err != nil {
		return driver.Entry{}, err
	}
	httpwire.Drain(resp.Body)
	return entryOf(key, resp.Header, resp.ContentLength), nil
}

// isDir reports whether a key begins with path+"/". For a missing bucket the
// answer is an error.
func (f *FS) isDir(ctx context.Context, op, path string) (bool, error) {
	prefix := ""
	if path != "" {
		prefix = strings.TrimSuffix(path, "/") + "/"
	}
	page, err := f.listPage(ctx, op, path, url.Values{"prefix": {prefix}, "max-keys": {"1"}})
	if err != nil {
		return false, err
	}
	return len(page.Contents)+len(page.CommonPrefixes) > 0, nil
}

// absent replaces a NotExist error from a request about path where a
// directory is there instead, or where it is the bucket that is missing.
func (f *FS) absent(ctx context.Context, op, path string, err error) error {
	if fault.KindOf(err) != fault.NotExist {
		return err
	}
	isDir, direrr := f.isDir(ctx, op, path)
	switch {
	case direrr != nil:
		return direrr
	case isDir:
		return &fault.Error{Op: op, Path: path, Kind: fault.IsDir}
	}
	return err
}

// changeable refuses keys that must not be written or removed: those that
// do not exist in S3, and those that the service may take for another.
func (f *FS) changeable(key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if key == "" {
		return errors.New("a key is needed, as in s3://bucket/key")
	}
	if !f.s.OddKeys && isOdd(key) {
		return errors.New(`a service other than AWS may take a key with an empty, "." or ".." part or a control character for another key; set LEAT_S3_ODD_KEYS=true if this one does not`)
	}
	return nil
}

// isOdd reports whether a service that keeps keys as files, or lists them as
// plain XML, may take key for another.
func isOdd(key string) bool {
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." {
			return true
		}
	}
	return strings.ContainsFunc(key, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	})
}

// entryOf reads an entry from the headers of an answer about an object.
func entryOf(path string, h http.Header, size int64) driver.Entry {
	e := driver.Entry{Path: path, Kind: driver.File, Size: size, Version: version(h.Get("Etag"))}
	if t, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		e.ModTime = t
	}
	return e
}

// version returns the version for an ETag.
func version(etag string) string { return strings.Trim(etag, `"`) }

// etag is the inverse of version.
func etag(version string) string { return `"` + version + `"` }
