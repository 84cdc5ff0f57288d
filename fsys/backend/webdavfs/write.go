package webdavfs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/httpwire"
)

const (
	// bufferBytes is up to what size an object is sent with its length, and
	// how much is handed to the connection at a time.
	bufferBytes = 256 << 10
	// abortTime bounds the removal of a temporary resource.
	abortTime = 5 * time.Second
)

// Create implements [driver.FS].
func (f *FS) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	if err := f.check(ctx, "create", path); err != nil {
		return nil, err
	}
	if path == "" {
		return nil, fault.New("create", path, fault.IsDir, errors.New("the root is a directory"))
	}
	if strings.HasPrefix(path[strings.LastIndexByte(path, '/')+1:], tempPrefix) {
		return nil, fault.New("create", path, fault.Invalid, errors.New("names that begin with "+tempPrefix+" are for temporary resources"))
	}
	dir, missing, err := f.nearest(ctx, path)
	if err != nil {
		return nil, rename(err, path)
	}
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return &writer{ctx: ctx, fs: f, path: path, temp: dir + tempPrefix + hex.EncodeToString(b[:]), missing: missing, exclusive: opts.Exclusive}, nil
}

// nearest returns the nearest collection above path that exists, with its
// "/", and those below it that do not.
func (f *FS) nearest(ctx context.Context, path string) (dir string, missing []string, err error) {
	for dir = path; ; {
		i := strings.LastIndexByte(dir, '/')
		if i < 0 {
			return "", missing, nil
		}
		dir = dir[:i]
		e, err := f.Stat(ctx, dir)
		switch {
		case err == nil && e.Kind == driver.Dir:
			return dir + "/", missing, nil
		case err == nil:
			return "", nil, fault.New("create", path, fault.NotExist, errors.New(dir+" is not a directory"))
		case fault.KindOf(err) != fault.NotExist:
			return "", nil, fault.New("create", path, fault.Unknown, err)
		}
		missing = append([]string{dir}, missing...)
	}
}

// A writer is one request, so it keeps its context.
type writer struct {
	ctx       context.Context
	fs        *FS
	path      string
	temp      string
	missing   []string // collections to make
	exclusive bool
	buf       []byte
	pipe      *io.PipeWriter // of the request under way, or nil
	answer    chan error     // its outcome
	sent      bool           // something may be at temp
	ended     bool
	err       error // sticky
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, fault.New("write", w.path, fault.Invalid, errors.New("the writer has ended"))
	}
	done := 0
	for len(p) > 0 && w.err == nil {
		if err := w.fs.check(w.ctx, "write", w.path); err != nil {
			w.err = err
			break
		}
		n := min(len(p), bufferBytes-len(w.buf))
		w.buf = append(w.buf, p[:n]...)
		p, done = p[n:], done+n
		if len(w.buf) == bufferBytes {
			w.flush()
		}
	}
	return done, w.err
}

// flush hands the buffer to a request of unknown length, which it begins. The
// request does not end with the writer's context: Abort ends it in good
// order, so that what it leaves can be removed.
func (w *writer) flush() {
	if w.pipe == nil {
		r, pipe := io.Pipe()
		w.pipe, w.answer, w.sent = pipe, make(chan error, 1), true
		ctx, cancel := context.WithCancel(context.WithoutCancel(w.ctx))
		answer := w.answer
		go func() { // owner: the writer, whose Commit or Abort waits for it
			defer cancel()
			err := w.fs.put(ctx, w.path, w.temp, r, -1)
			_ = r.CloseWithError(io.ErrClosedPipe) // ends a Write that waits
			answer <- err
		}()
	}
	stop := context.AfterFunc(w.ctx, func() { _ = w.pipe.CloseWithError(context.Cause(w.ctx)) })
	_, err := w.pipe.Write(w.buf)
	stop()
	w.buf = w.buf[:0]
	if err == nil {
		return
	}
	w.err = w.finish()
	if w.err == nil {
		w.err = fault.New("write", w.path, fault.Unavailable, errors.New("the server answered before it had all"))
	}
	if w.ctx.Err() != nil {
		w.err = fault.New("write", w.path, fault.KindOf(w.ctx.Err()), context.Cause(w.ctx))
	}
}

// finish ends the request under way and returns its outcome.
func (w *writer) finish() error {
	_ = w.pipe.Close()
	w.pipe = nil
	select {
	case err := <-w.answer:
		return err
	case <-time.After(abortTime):
		if w.ctx.Err() == nil {
			return <-w.answer // the transport watches for stalls
		}
		return fault.New("write", w.path, fault.Timeout, nil)
	}
}

// put sends one resource.
func (f *FS) put(ctx context.Context, path, temp string, body io.Reader, size int64) error {
	resp, err := f.send(ctx, "write", "PUT", temp, http.Header{"Content-Type": {"application/octet-stream"}}, body, size)
	if err != nil {
		return rename(err, path)
	}
	defer httpwire.Drain(resp.Body)
	if resp.StatusCode/100 != 2 {
		return f.refused("write", path, resp)
	}
	return nil
}

// Commit implements [driver.Writer].
func (w *writer) Commit(ctx context.Context) (driver.Entry, error) {
	if w.ended {
		return driver.Entry{}, fault.New("commit", w.path, fault.Invalid, errors.New("the writer has ended"))
	}
	defer func() { _ = w.Abort() }()
	for _, c := range []context.Context{w.ctx, ctx} {
		if err := w.fs.check(c, "commit", w.path); err != nil {
			return driver.Entry{}, err
		}
	}
	if err := w.send(ctx); err != nil {
		return driver.Entry{}, fault.New("commit", w.path, fault.Unknown, err)
	}
	made, err := w.fs.mkcols(ctx, w.missing)
	if err == nil {
		err = w.move(ctx)
	}
	if err != nil {
		w.discard(made)
		return driver.Entry{}, fault.New("commit", w.path, fault.Unknown, rename(err, w.path))
	}
	w.sent = false
	e, err := w.fs.Stat(ctx, w.path)
	if err != nil {
		// It was published. Another may have replaced or removed it already.
		return driver.Entry{Path: w.path, Kind: driver.File, Size: -1}, nil
	}
	return e, nil
}

// send brings what is left to the server.
func (w *writer) send(ctx context.Context) error {
	if w.err == nil && w.pipe != nil && len(w.buf) > 0 {
		w.flush()
	}
	switch {
	case w.err != nil:
		return w.err
	case w.pipe != nil:
		return w.finish()
	case w.sent:
		return nil // by Copy
	}
	w.sent = true
	return w.fs.put(ctx, w.path, w.temp, bytes.NewReader(w.buf), int64(len(w.buf)))
}

// move gives the temporary resource its name.
func (w *writer) move(ctx context.Context) error {
	overwrite := "T"
	switch e, err := w.fs.Stat(ctx, w.path); {
	case fault.KindOf(err) == fault.NotExist:
	case err != nil:
		return err
	case w.exclusive:
		return fault.New("commit", w.path, fault.Exist, nil)
	case e.Kind == driver.Dir:
		return fault.New("commit", w.path, fault.IsDir, nil) // MOVE would remove all of it
	}
	if w.exclusive {
		overwrite = "F"
	}
	header := http.Header{"Destination": {w.fs.url(w.path).String()}, "Overwrite": {overwrite}}
	err := w.fs.unlocked(ctx, "MOVE", w.temp, header)
	if w.exclusive && fault.KindOf(err) == fault.Changed {
		return fault.New("commit", w.path, fault.Exist, nil)
	}
	return err
}

// Servers hold a lock for as long as a request works on a name, and refuse
// others meanwhile. They get some tries.
const (
	lockTries = 10
	lockWait  = 5 * time.Millisecond // doubles
)

// unlocked is simple, tried again while the server says that a name is locked.
func (f *FS) unlocked(ctx context.Context, method, path string, header http.Header) error {
	for try := 0; ; try++ {
		resp, err := f.send(ctx, "commit", method, path, header, nil, 0)
		if err != nil {
			return err
		}
		httpwire.Drain(resp.Body)
		switch {
		case resp.StatusCode == http.StatusMultiStatus:
			return f.fail("commit", path, fault.Unavailable, errors.New("the server did a part of it only"))
		case resp.StatusCode/100 == 2:
			return nil
		case resp.StatusCode != http.StatusLocked || try == lockTries:
			return f.refused("commit", path, resp)
		}
		wait := time.NewTimer(lockWait << try)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return fault.New("commit", path, fault.KindOf(ctx.Err()), context.Cause(ctx))
		}
	}
}

// mkcols makes collections and returns those that were not there.
func (f *FS) mkcols(ctx context.Context, dirs []string) ([]string, error) {
	var made []string
	for _, dir := range dirs {
		resp, err := f.send(ctx, "commit", "MKCOL", dir+"/", nil, nil, 0)
		if err != nil {
			return made, err
		}
		httpwire.Drain(resp.Body)
		if resp.StatusCode/100 == 2 {
			made = append(made, dir)
			continue
		}
		// Another writer may have made it, or be about to.
		if e, serr := f.Stat(ctx, dir); serr != nil || e.Kind != driver.Dir {
			return made, f.refused("commit", dir, resp)
		}
	}
	return made, nil
}

// discard removes collections that are still empty.
func (w *writer) discard(made []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTime)
	defer cancel()
	for i := len(made) - 1; i >= 0; i-- {
		_ = w.fs.Remove(ctx, made[i]) // stays when others use it already
	}
}

// Abort implements [driver.Writer].
func (w *writer) Abort() error {
	if w.ended {
		return nil
	}
	w.ended, w.buf = true, nil
	if w.pipe != nil {
		_ = w.finish() // it is removed, whatever it is
	}
	if !w.sent || w.fs.closed.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTime)
	defer cancel()
	err := w.fs.simple(ctx, "abort", "DELETE", w.temp, nil)
	if fault.KindOf(err) == fault.NotExist {
		return nil
	}
	return rename(err, w.path)
}
