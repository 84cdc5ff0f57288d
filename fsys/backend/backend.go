package backend

import (
	"context"

	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/datafs"
	"github.com/leat-dev/leat/fsys/backend/gitfs"
	"github.com/leat-dev/leat/fsys/backend/httpfs"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/backend/reffs"
	"github.com/leat-dev/leat/fsys/backend/s3fs"
	"github.com/leat-dev/leat/fsys/backend/sftpfs"
	"github.com/leat-dev/leat/fsys/backend/tarfs"
	"github.com/leat-dev/leat/fsys/backend/webdavfs"
	"github.com/leat-dev/leat/fsys/backend/zipfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/cachefs"
	"github.com/leat-dev/leat/fsys/layer/retryfs"
	"github.com/leat-dev/leat/fsys/layer/tracefs"
)

// Options tunes [Mux]. A nil pointer is the default, and so is each nil
// field.
type Options struct {
	// Local is for local files.
	Local *localfs.Options
	// HTTP is for all web servers.
	HTTP *httpfs.Options
	// S3 is for all buckets.
	S3 *s3fs.Options
	// SFTP is for all SSH servers.
	SFTP *sftpfs.Options
	// WebDAV is for all WebDAV servers.
	WebDAV *webdavfs.Options
	// Zip is for all zip archives.
	Zip *zipfs.Options
	// Tar is for all tar archives.
	Tar *tarfs.Options
	// References is for all reference files. Its Resolve is that of the mux
	// unless it is set.
	References *reffs.Options
	// Retry is for the stores behind a network.
	Retry *retryfs.Options
	// Cache is what "cache::" is without options of its own; its Store is not
	// used. Nil means one in LEAT_CACHE_DIR, or else in the directory of the
	// user for caches.
	Cache *cachefs.Options
	// Trace, when set, counts and reports what all stores are asked, retries
	// counting once.
	Trace *tracefs.Options
}

// Mux returns a mux over all back ends. It does not block; each store is
// opened when it is first named.
func Mux(opts *Options) *fsys.Mux {
	var o Options
	if opts != nil {
		o = *opts
	}
	local, web := localfs.Backend(o.Local), retrying(httpfs.Backend(o.HTTP), o.Retry)
	dav := retrying(webdavfs.Backend(o.WebDAV), o.Retry)
	var m *fsys.Mux
	var refs reffs.Options
	if o.References != nil {
		refs = *o.References
	}
	if refs.Resolve == nil {
		refs.Resolve = func(ctx context.Context, url string) (*fsys.FS, string, error) { return m.Resolve(ctx, url) }
	}
	backends := map[string]fsys.Backend{
		"": local, "file": local,
		"mem":  memfs.Backend(),
		"http": web, "https": web,
		"zip": zipfs.Backend(o.Zip), "tar": tarfs.Backend(o.Tar),
		"data": datafs.Backend(), "reference": reffs.Backend(&refs),
		"git":    gitfs.Backend(nil),
		"webdav": dav, "webdavs": dav,
		"sftp":  retrying(sftpfs.Backend(o.SFTP), o.Retry),
		"s3":    retrying(s3fs.Backend(o.S3), o.Retry),
		"cache": cacheLink(o.Cache), "ro": readOnlyLink(), "prefix": prefixLink(), "limit": limitLink(),
	}
	for scheme, b := range backends {
		backends[scheme] = traced(b, o.Trace)
	}
	m = fsys.NewMux(backends)
	return m
}

// retrying wraps what b opens with retries.
func retrying(b fsys.Backend, opts *retryfs.Options) fsys.Backend {
	open := b.Open
	b.Open = func(ctx context.Context, root string) (driver.FS, error) {
		drv, err := open(ctx, root)
		if err != nil {
			return nil, err
		}
		return retryfs.New(drv, opts), nil
	}
	return b
}
