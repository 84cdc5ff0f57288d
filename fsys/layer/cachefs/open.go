package cachefs

import (
	"context"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// openTries bounds how often an object may be replaced between asking for its
// version and opening it.
const openTries = 4

// Open implements [driver.FS].
func (f *layer) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	if err := f.check(ctx, "open", path); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		r, err := f.open(ctx, path, opts, try == 1)
		if err == nil {
			return r, nil
		}
		if fault.KindOf(err) != fault.Changed || opts.Version != "" || try == openTries {
			return nil, fault.New("open", path, fault.Unknown, err)
		}
	}
}

// open opens path as the version that the store has now or, with trust, as
// one that is trusted to be that.
func (f *layer) open(ctx context.Context, path string, opts driver.OpenOptions, trust bool) (driver.Reader, error) {
	e, ok := driver.Entry{}, false
	if trust {
		e, ok = f.trusted(path)
	}
	if ok && opts.Version != "" && e.Version != opts.Version {
		ok = false // one of the two is out of date
	}
	if !ok && opts.Offset >= 0 && !f.seen(path) {
		return f.openCold(ctx, path, opts)
	}
	if !ok {
		var err error
		if e, err = f.ask(ctx, path, true); err != nil {
			return nil, err
		}
	}
	switch {
	case e.Kind == driver.Dir:
		return nil, fault.New("open", path, fault.IsDir, nil)
	case !cacheable(e):
		return f.drv.Open(ctx, path, opts)
	case opts.Version != "" && opts.Version != e.Version:
		return nil, fault.New("open", path, fault.Changed, nil)
	}
	return f.newReader(ctx, e, opts, nil)
}

// openCold opens an object about which nothing is known: the answer to the
// request for its first block also tells the version, which saves asking.
func (f *layer) openCold(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	block := f.opts.BlockBytes
	aligned := opts
	aligned.Offset -= opts.Offset % block
	if opts.Length > 0 && opts.Length < 1<<40 {
		end := opts.Offset + opts.Length + block - 1
		aligned.Length = end - end%block - aligned.Offset
	}
	writes := f.written()
	body, err := f.drv.Open(ctx, path, aligned)
	if err != nil {
		return nil, err
	}
	f.stats.Requests.Add(1)
	e := body.Entry()
	e.Path = path
	switch {
	case cacheable(e):
		f.remember(e, writes, true)
		return f.newReader(ctx, e, opts, &coldBody{body, aligned})
	case aligned == opts:
		return body, nil
	}
	body.Close()
	return f.drv.Open(ctx, path, opts)
}

// A coldBody is a body and the range that it was asked for.
type coldBody struct {
	driver.Reader
	opts driver.OpenOptions
}

// newReader returns a reader of the range that the options ask for. Its first
// block is there, so that what is wrong with the object shows now.
func (f *layer) newReader(ctx context.Context, e driver.Entry, opts driver.OpenOptions, body *coldBody) (driver.Reader, error) {
	r := &reader{ctx: ctx, fs: f, entry: e}
	if body != nil {
		r.body, r.bodyPos, r.bodyEnd = body.Reader, body.opts.Offset, e.Size
		if n := body.opts.Length; n > 0 && n < e.Size-r.bodyPos {
			r.bodyEnd = r.bodyPos + n
		}
	}
	r.pos = opts.Offset
	if r.pos < 0 {
		r.pos = max(e.Size+r.pos, 0)
	}
	r.pos = min(r.pos, e.Size)
	r.end = e.Size
	if opts.Length > 0 && opts.Length < e.Size-r.pos {
		r.end = r.pos + opts.Length
	}
	if r.pos == r.end {
		r.drop()
		return r, nil
	}
	err := r.openWhole()
	if err == nil {
		err = r.load()
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}
