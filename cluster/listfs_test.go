package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
)

// listFS is a store of n objects that exist in its listing only; an object
// holds its own name and a newline.
type listFS struct {
	n int
	// wait, if set, is called before object i is listed.
	wait func(i int)
}

func (l *listFS) name(i int) string { return fmt.Sprintf("object-%08d", i) }

func (l *listFS) Stat(_ context.Context, path string) (driver.Entry, error) {
	if path == "" {
		return driver.Entry{Kind: driver.Dir}, nil
	}
	return driver.Entry{}, fault.New("stat", path, fault.NotExist, nil)
}

func (l *listFS) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		for i := range l.n {
			if l.wait != nil {
				l.wait(i)
			}
			name := l.name(i)
			if !strings.HasPrefix(name, opts.Prefix) || name <= opts.After {
				continue
			}
			if ctx.Err() != nil {
				yield(driver.Entry{}, fault.New("list", dir, fault.Unknown, ctx.Err()))
				return
			}
			if !yield(driver.Entry{Path: name, Kind: driver.File, Size: int64(len(name) + 1), ModTime: time.Unix(1, 0)}, nil) {
				return
			}
		}
	}
}

func (l *listFS) Open(_ context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	return &listReader{strings.NewReader(path + "\n"), path}, nil
}

func (l *listFS) Create(_ context.Context, path string, _ driver.CreateOptions) (driver.Writer, error) {
	return nil, fault.New("create", path, fault.Unsupported, errors.New("read only"))
}

func (l *listFS) Remove(_ context.Context, path string) error {
	return fault.New("remove", path, fault.Unsupported, errors.New("read only"))
}

func (l *listFS) Close() error { return nil }

type listReader struct {
	io.Reader
	path string
}

func (r *listReader) Close() error { return nil }

func (r *listReader) Entry() driver.Entry {
	return driver.Entry{Path: r.path, Kind: driver.File, Size: int64(len(r.path) + 1)}
}

// listMux returns a mux whose "list://x/*" are the objects of fs.
func listMux(fs *listFS) *fsys.Mux {
	return fsys.NewMux(map[string]fsys.Backend{"list": {
		Split: func(url string, _ bool) (string, string, error) {
			rest := strings.TrimPrefix(url, "list://")
			host, path, _ := strings.Cut(rest, "/")
			return "list://" + host, path, nil
		},
		Join: func(root, path string) string { return root + "/" + path },
		Open: func(context.Context, string) (driver.FS, error) { return fs, nil },
	}})
}
