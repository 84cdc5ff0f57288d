package work

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/task"
)

// A Resolver maps URLs to file systems, as [*fsys.Mux] does.
type Resolver interface {
	// Resolve returns the file system that url names and the path in it.
	Resolve(ctx context.Context, url string) (*fsys.FS, string, error)
	// ResolvePattern is Resolve for a url whose path is a pattern.
	ResolvePattern(ctx context.Context, url string) (*fsys.FS, string, error)
}

// An Input is one object that a function is called with. It is valid during
// the call and may be used by several goroutines.
type Input struct {
	// URL names the object, byte for byte.
	URL string
	// Index is its number in the listing of the job.
	Index uint64
	// Size is what the listing said, in bytes; -1 when it said nothing. The
	// object may have changed since.
	Size int64

	res  Resolver
	once sync.Once
	fs   *fsys.FS
	path string
	err  error // of resolving

	data  []byte // read ahead
	whole bool   // data is the object

	mu   sync.Mutex
	rest io.ReadCloser // what follows data, when that is not all
}

// Name returns the last element of the object's path. It falls back to that
// of the URL when the URL cannot be resolved; opening will say why.
func (in *Input) Name() string {
	p := in.URL
	if in.resolve(context.Background()) == nil {
		p = in.path
	}
	return p[strings.LastIndexByte(p, '/')+1:]
}

// resolve finds the file system, once.
func (in *Input) resolve(ctx context.Context) error {
	in.once.Do(func() {
		if in.res == nil {
			in.err = fault.New("open", in.URL, fault.Internal, errors.New("the input has no file systems"))
			return
		}
		in.fs, in.path, in.err = in.res.Resolve(ctx, in.URL)
	})
	return in.err
}

// Open starts to read the object. The caller closes the reader, which
// belongs to one goroutine.
func (in *Input) Open(ctx context.Context) (io.ReadCloser, error) {
	if in.whole {
		return io.NopCloser(bytes.NewReader(in.data)), nil
	}
	if rest := in.takeRest(); rest != nil {
		return &joined{Reader: io.MultiReader(bytes.NewReader(in.data), rest), Closer: rest}, nil
	}
	if err := in.resolve(ctx); err != nil {
		return nil, err
	}
	return in.fs.Open(ctx, in.path, nil)
}

// takeRest returns what was opened ahead; it serves one reader.
func (in *Input) takeRest() io.ReadCloser {
	in.mu.Lock()
	defer in.mu.Unlock()
	rest := in.rest
	in.rest = nil
	return rest
}

type joined struct {
	io.Reader
	io.Closer
}

// Bytes returns the whole object. It must not be changed.
func (in *Input) Bytes(ctx context.Context) ([]byte, error) {
	if in.whole {
		return in.data, nil
	}
	r, err := in.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	buf := bytes.NewBuffer(make([]byte, 0, min(max(in.Size, 0), aheadBytes)+bytes.MinRead))
	_, err = buf.ReadFrom(struct{ io.Reader }{r})
	return buf.Bytes(), err
}

// ahead returns the object if all of it was read ahead.
func (in *Input) ahead() ([]byte, bool) { return in.data, in.whole }

// localPath returns the file of this machine that is the object, if it is.
func (in *Input) localPath(ctx context.Context) (string, bool) {
	if in.resolve(ctx) != nil {
		return "", false
	}
	return in.fs.LocalPath(in.path)
}

// fetchAhead opens the object and reads it into memory, if it has no more
// than limit bytes; else what was read is kept and the rest stays open. It
// is one of the requests that the process may have in flight.
func (in *Input) fetchAhead(ctx context.Context, limit int64) error {
	if err := task.Requests().Acquire(ctx, 1); err != nil {
		return err
	}
	defer task.Requests().Release(1)
	r, err := in.Open(ctx)
	if err != nil {
		return err
	}
	want := min(max(in.Size, 0), limit)
	buf := bytes.NewBuffer(make([]byte, 0, want+bytes.MinRead))
	n, err := buf.ReadFrom(io.LimitReader(r, limit+1))
	if err != nil {
		r.Close()
		return err
	}
	in.data = buf.Bytes()
	if n <= limit {
		in.whole = true
		return r.Close()
	}
	in.rest = r
	return nil
}

// release closes what was opened ahead and not used.
func (in *Input) release() {
	if rest := in.takeRest(); rest != nil {
		rest.Close()
	}
	in.data, in.whole = nil, false
}
