package cachefs

import (
	"context"
	"iter"
	"strings"

	"github.com/leat-dev/leat/fsys/driver"
)

// A listKey names a complete listing.
type listKey struct {
	dir       string
	recursive bool
}

// List implements [driver.FS].
func (f *layer) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		if err := f.check(ctx, "list", dir); err != nil {
			yield(driver.Entry{}, err)
			return
		}
		key := listKey{dir, opts.Recursive}
		if !opts.Recursive && strings.Contains(opts.Prefix, "/") {
			// What this selects is the store's business.
		} else if all, _, ok := f.listings.get(key); ok {
			f.stats.ListHits.Add(1)
			f.replay(ctx, all, dir, opts, yield)
			return
		}
		if f.opts.ListTTL < 0 || opts.Prefix != "" || opts.After != "" {
			f.drv.List(ctx, dir, opts)(yield)
			return
		}
		f.record(ctx, key, opts, yield)
	}
}

// record lists and keeps what came if it is complete.
func (f *layer) record(ctx context.Context, key listKey, opts driver.ListOptions, yield func(driver.Entry, error) bool) {
	writes := f.written()
	var all []driver.Entry
	for e, err := range f.drv.List(ctx, key.dir, opts) {
		if !yield(e, err) || err != nil {
			return
		}
		if len(all) <= f.opts.ListEntries/2 { // else it will not be kept
			all = append(all, e)
		}
	}
	f.unlessWritten(writes, func() { f.listings.put(key, all, int64(len(all)+1)) })
}

// replay yields what the options select of a complete listing.
func (f *layer) replay(ctx context.Context, all []driver.Entry, dir string, opts driver.ListOptions, yield func(driver.Entry, error) bool) {
	prefix := opts.Prefix
	if dir != "" {
		prefix = dir + "/" + prefix
	}
	for i, e := range all {
		if i%256 == 255 {
			if err := f.check(ctx, "list", dir); err != nil {
				yield(driver.Entry{}, err)
				return
			}
		}
		key := e.Path
		if e.Kind == driver.Dir {
			key += "/"
		}
		if strings.HasPrefix(e.Path, prefix) && (opts.After == "" || key > opts.After) && !yield(e, nil) {
			return
		}
	}
}
