package backend

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/cachefs"
	"github.com/leat-dev/leat/fsys/layer/caps"
	"github.com/leat-dev/leat/fsys/layer/limitfs"
	"github.com/leat-dev/leat/fsys/layer/prefixfs"
	"github.com/leat-dev/leat/fsys/layer/rofs"
	"github.com/leat-dev/leat/fsys/layer/tracefs"
	"github.com/leat-dev/leat/task"
)

// cacheDirEnv is where "cache::" keeps files, unless options say otherwise.
const cacheDirEnv = "LEAT_CACHE_DIR"

// cacheDir returns the directory for "cache::", or "" where the user has no
// place for caches; then it is in memory alone.
func cacheDir() string {
	if dir := os.Getenv(cacheDirEnv); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "leat", "objects")
}

// cacheLink is "cache,option=value::URL".
func cacheLink(defaults *cachefs.Options) fsys.Backend {
	return fsys.Backend{Wrap: func(_ context.Context, inner *fsys.FS, opts fsys.LinkOptions) (driver.FS, error) {
		o := cachefs.Options{}
		if defaults != nil {
			o = *defaults
		} else {
			o.Dir = cacheDir()
		}
		o.Store = inner.Root()
		revalidate, disk := "", int64(-1)
		err := opts.Read(map[string]any{
			"ttl": &o.ListTTL, "revalidate": &revalidate, "age": &o.MaxAge,
			"block": &o.BlockBytes, "memory": &o.MemoryBytes, "disk": &disk, "whole": &o.WholeBytes,
		})
		if err != nil {
			return nil, err
		}
		switch revalidate {
		case "":
		case "always":
			o.Revalidate = 0
		case "never":
			o.Revalidate = cachefs.Forever
		default:
			if err := (fsys.LinkOptions{"revalidate": revalidate}).Read(map[string]any{"revalidate": &o.Revalidate}); err != nil {
				return nil, err
			}
		}
		// In a URL, 0 means none.
		none(opts, "ttl", &o.ListTTL)
		none(opts, "memory", &o.MemoryBytes)
		if disk == 0 {
			o.Dir = ""
		} else if disk > 0 {
			o.DiskBytes = disk
		}
		return cachefs.New(caps.KeepOpen(inner.Driver()), &o)
	}}
}

// none makes an option that was given as 0 mean none rather than the default.
func none[T int64 | time.Duration](opts fsys.LinkOptions, name string, v *T) {
	if _, given := opts[name]; given && *v == 0 {
		*v = -1
	}
}

// readOnlyLink is "ro::URL".
func readOnlyLink() fsys.Backend {
	return fsys.Backend{Wrap: func(_ context.Context, inner *fsys.FS, opts fsys.LinkOptions) (driver.FS, error) {
		if err := opts.Read(nil); err != nil {
			return nil, err
		}
		return rofs.New(caps.KeepOpen(inner.Driver())), nil
	}}
}

// prefixLink is "prefix://path::URL of a directory".
func prefixLink() fsys.Backend {
	return fsys.Backend{Over: func(_ context.Context, inner *fsys.FS, path string, opts fsys.LinkOptions) (driver.FS, error) {
		if err := opts.Read(nil); err != nil {
			return nil, err
		}
		// These take names as bytes; a server may resolve dots.
		dots := strings.HasPrefix(inner.Root(), "s3://") || strings.HasPrefix(inner.Root(), "mem://")
		return prefixfs.New(caps.KeepOpen(inner.Driver()), strings.TrimSuffix(path, "/"), &prefixfs.Options{Dots: dots})
	}}
}

// limitLink is "limit,requests=8,rate=10MiB::URL". Callers of one root share
// the budget.
func limitLink() fsys.Backend {
	return fsys.Backend{Wrap: func(_ context.Context, inner *fsys.FS, opts fsys.LinkOptions) (driver.FS, error) {
		var requests int
		var rate, bytes int64
		if err := opts.Read(map[string]any{"requests": &requests, "rate": &rate, "bytes": &bytes}); err != nil {
			return nil, err
		}
		var o limitfs.Options
		if requests > 0 {
			o.Requests = task.NewBudget(int64(requests))
		}
		if bytes > 0 {
			o.Bytes = task.NewBudget(bytes)
		}
		if rate > 0 {
			o.Reads = limitfs.NewRate(rate, min(rate, 256<<10))
			o.Writes = o.Reads
		}
		return limitfs.New(caps.KeepOpen(inner.Driver()), &o), nil
	}}
}

// traced wraps what b opens with counters, if there are any.
func traced(b fsys.Backend, opts *tracefs.Options) fsys.Backend {
	if open := b.Open; opts != nil && open != nil {
		b.Open = func(ctx context.Context, root string) (driver.FS, error) {
			drv, err := open(ctx, root)
			if err != nil {
				return nil, err
			}
			return tracefs.New(drv, opts), nil
		}
	}
	return b
}
