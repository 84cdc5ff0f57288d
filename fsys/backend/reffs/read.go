package reffs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// unreachable keeps an absent target from reading as an absent name.
func unreachable(op, path, url string, err error) error {
	if fault.KindOf(err) == fault.NotExist || fault.KindOf(err) == fault.IsDir {
		return fault.New(op, path, fault.Corrupt, fmt.Errorf("the target %s is not there: %v", url, err))
	}
	return fault.New(op, path, fault.Unknown, err)
}

// version is that of a name whose target has the version given: what the
// reference is, then "|", then what it refers to.
func (t *table) version(r *ref, target string) string {
	h := fnv.New64a()
	if r.url == "" {
		_, _ = h.Write(r.inline) // never fails
	} else {
		fmt.Fprintf(h, "%d %d %s", r.off, r.n, r.url)
	}
	return fmt.Sprintf("%s|%s", t.src.Version(fmt.Sprintf("%x", h.Sum64())), target)
}

// entry describes a name whose target is described by target.
func (t *table) entry(it *archive.Item[ref], target fsys.Entry) driver.Entry {
	e := it.Entry
	e.ModTime, e.Version = target.ModTime, t.version(&it.Data, target.Version)
	if it.Data.n < 0 {
		e.Size = target.Size
	}
	return e
}

// stat asks the target.
func (f *FS) stat(ctx context.Context, t *table, it *archive.Item[ref]) (driver.Entry, error) {
	if it.Data.url == "" {
		e := it.Entry
		e.Version = t.version(&it.Data, "")
		return e, nil
	}
	fs, path, err := f.resolve(ctx, it.Data.url)
	if err != nil {
		return driver.Entry{}, unreachable("stat", it.Path, it.Data.url, err)
	}
	target, err := fs.Stat(ctx, path)
	if err == nil && target.Kind == driver.Dir {
		err = fault.New("stat", it.Data.url, fault.IsDir, nil)
	}
	if err != nil {
		return driver.Entry{}, unreachable("stat", it.Path, it.Data.url, err)
	}
	return t.entry(it, target), nil
}

// Open implements [driver.FS].
func (f *FS) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	t, err := f.held.Get(ctx, "open", path)
	if err != nil {
		return nil, err
	}
	it, err := t.index.FindFile("open", path)
	if err != nil {
		return nil, err
	}
	r := &it.Data
	if r.why != nil {
		return nil, fault.New("open", path, fault.Refused, fmt.Errorf("%w, so unpacking it could write anywhere", r.why))
	}
	target := ""
	if opts.Version != "" {
		var ok bool
		if target, ok = strings.CutPrefix(opts.Version, t.version(r, "")); !ok || r.url == "" && target != "" {
			return nil, fault.New("open", path, fault.Changed, nil)
		}
	}
	if r.url == "" {
		e := it.Entry
		e.Version = t.version(r, "")
		off, n := archive.Span(e.Size, opts)
		return archive.NewReader(ctx, e, bytes.NewReader(r.inline[off:][:n]), n, nil, nil), nil
	}
	return f.openTarget(ctx, t, it, opts, target)
}

// openTarget reads from where a name refers to. version is that of the
// target, or "".
func (f *FS) openTarget(ctx context.Context, t *table, it *archive.Item[ref], opts driver.OpenOptions, version string) (driver.Reader, error) {
	r := &it.Data
	fs, path, err := f.resolve(ctx, r.url)
	if err != nil {
		return nil, unreachable("open", it.Path, r.url, err)
	}
	ask := fsys.OpenOptions{Offset: opts.Offset, Length: opts.Length, Version: version}
	n := int64(-1)
	if r.n >= 0 {
		var off int64
		off, n = archive.Span(r.n, opts)
		// An empty range is asked for as one byte: the target must be there.
		ask.Offset, ask.Length = r.off+off, max(n, 1)
	}
	src, err := fs.Open(ctx, path, &ask)
	if err != nil {
		return nil, unreachable("open", it.Path, r.url, err)
	}
	e := t.entry(it, src.Entry())
	if n < 0 && e.Size < 0 {
		return &stream{src, e}, nil
	}
	if n < 0 {
		_, n = archive.Span(e.Size, opts)
	}
	return archive.NewReader(ctx, e, src, n, nil, src.Close), nil
}

// stream is a target of unknown length.
type stream struct {
	fsys.Reader
	entry driver.Entry
}

// Entry describes the name.
func (s *stream) Entry() driver.Entry { return s.entry }

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = archive.Dress("read", s.entry.Path, err)
	}
	return n, err
}

// errShort says that a range is not all there.
var errShort = errors.New("the target ends before the range does")
