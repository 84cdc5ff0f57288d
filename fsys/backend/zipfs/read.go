package zipfs

import (
	"bufio"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// The methods of compression that are known.
const (
	methodStored  = 0
	methodDeflate = 8
	methodBzip2   = 12
	methodOldZstd = 20
	methodZstd    = 93
)

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
	if err := f.allowed(it); err != nil {
		return nil, err
	}
	if opts.Version != "" && opts.Version != it.Version {
		return nil, fault.New("open", path, fault.Changed, nil)
	}
	off, n := archive.Span(it.Size, opts)
	if n == 0 && it.Size > 0 {
		return archive.NewReader(ctx, it.Entry, nil, 0, nil, nil), nil
	}
	r, err := t.open(ctx, it, off, n)
	if err != nil {
		f.held.Noticed(t.src, err)
		return nil, archive.Dress("open", path, err)
	}
	return r, nil
}

// allowed says why it is not opened, or nil.
func (f *FS) allowed(it *archive.Item[member]) error {
	fail := func(kind fault.Kind, format string, args ...any) error {
		return fault.New("open", it.Path, kind, fmt.Errorf(format, args...))
	}
	m := &it.Data
	switch m.why {
	case badName:
		return fail(fault.Refused, "%w, so unpacking it could write anywhere", archive.CheckName(it.Path))
	case link:
		return fail(fault.Refused, "a symbolic link; links in archives are not followed")
	case special:
		return fail(fault.Refused, "neither a file nor a directory")
	case overlap:
		return fail(fault.Refused, "it shares bytes with another member, as only a forged archive does")
	}
	switch {
	case m.flags&(flagEncrypted|flagMasked) != 0:
		return fail(fault.Unsupported, "the member is encrypted")
	case m.flags&flagPatch != 0:
		return fail(fault.Unsupported, "the member is a patch of another")
	case it.Size > f.opts.MaxSize:
		return fail(fault.Refused, "%d bytes; the limit is %d", it.Size, f.opts.MaxSize)
	case it.Size > ratioApplies && it.Size/max(m.packed, 1) > f.opts.MaxRatio:
		return fail(fault.Refused, "%d bytes unpack to %d, more than %d times as many; raise MaxRatio if the archive is trusted", m.packed, it.Size, f.opts.MaxRatio)
	}
	return nil
}

// open reads n bytes of it from off.
func (t *table) open(ctx context.Context, it *archive.Item[member], off, n int64) (driver.Reader, error) {
	m := &it.Data
	if m.method == methodStored {
		if m.packed != it.Size {
			return nil, fmt.Errorf("a stored member of %d bytes takes %d", it.Size, m.packed)
		}
		if off > 0 || n < it.Size {
			return t.openPart(ctx, it, off, n)
		}
	}
	src, err := t.openData(ctx, m)
	if err != nil {
		return nil, err
	}
	content, free, err := unpack(src, m.method)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	sum := &summing{r: content, sum: crc32.NewIEEE(), want: m.crc}
	closeAll := func() error {
		free()
		return src.Close()
	}
	r := archive.NewReader(ctx, it.Entry, sum, off+n, nil, closeAll)
	if off+n == it.Size {
		r = archive.NewReader(ctx, it.Entry, sum, off+n, sum.check, closeAll)
	}
	if off > 0 {
		if _, err := io.CopyN(io.Discard, r, off); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	return r, nil
}

// openPart reads a range of a stored member.
func (t *table) openPart(ctx context.Context, it *archive.Item[member], off, n int64) (driver.Reader, error) {
	at, ok := t.data.Load(it.Data.header)
	if !ok {
		head, err := t.src.Read(ctx, it.Data.header, localLen)
		if err != nil {
			return nil, err
		}
		if at, err = t.dataAt(&it.Data, head); err != nil {
			return nil, err
		}
	}
	src, err := t.src.Open(ctx, at.(int64)+off, n)
	if err != nil {
		return nil, err
	}
	return archive.NewReader(ctx, it.Entry, src, n, nil, src.Close), nil
}

// dataAt reads a local header, and keeps where the data of m begins.
func (t *table) dataAt(m *member, head []byte) (int64, error) {
	if string(head[:4]) != localSig {
		return 0, errors.New("the member has no header where the table says")
	}
	at := m.header + localLen + int64(le.Uint16(head[26:])) + int64(le.Uint16(head[28:]))
	if m.packed > t.src.Size()-at {
		return 0, errors.New("the member lies outside of the archive")
	}
	t.data.Store(m.header, at)
	return at, nil
}

// extraSlack is how much longer the extra field of a local header may be than
// that of the table, for one request to be enough.
const extraSlack = 64

// openData reads the compressed bytes of m, with one request unless its
// local header is much longer than its record in the table.
func (t *table) openData(ctx context.Context, m *member) (io.ReadCloser, error) {
	if at, ok := t.data.Load(m.header); ok {
		return t.src.Open(ctx, at.(int64), m.packed)
	}
	guess := localLen + int64(m.name) + int64(m.extra) + extraSlack + m.packed
	guess = min(guess, t.src.Size()-m.header)
	r, err := t.src.Open(ctx, m.header, guess)
	if err != nil {
		return nil, err
	}
	buf := bufio.NewReaderSize(r, 64<<10)
	head, err := buf.Peek(localLen)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	at, err := t.dataAt(m, head)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	skip := at - m.header
	if skip+m.packed > guess {
		if err := r.Close(); err != nil {
			return nil, err
		}
		return t.src.Open(ctx, at, m.packed)
	}
	if _, err := buf.Discard(int(skip)); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &limited{Reader: io.LimitReader(buf, m.packed), Closer: r}, nil
}

type limited struct {
	io.Reader
	io.Closer
}

// zstdMemory bounds the window that a member may ask for.
const zstdMemory = 128 << 20

// unpack decompresses src. free releases what it holds.
func unpack(src io.Reader, method uint16) (r io.Reader, free func(), err error) {
	switch method {
	case methodStored:
		return src, func() {}, nil
	case methodDeflate:
		d := flate.NewReader(src)
		return d, func() { _ = d.Close() }, nil
	case methodBzip2:
		return bzip2.NewReader(src), func() {}, nil
	case methodZstd, methodOldZstd:
		d, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdMemory))
		if err != nil {
			return nil, nil, err
		}
		return d, d.Close, nil
	}
	return nil, nil, &fault.Error{Kind: fault.Unsupported, Err: fmt.Errorf("compression method %d is not known; deflate, bzip2 and zstd are", method)}
}

// summing adds up a checksum.
type summing struct {
	r    io.Reader
	sum  hash.Hash32
	want uint32
}

// Read implements io.Reader.
func (s *summing) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	_, _ = s.sum.Write(p[:n]) // never fails
	return n, err
}

// check is for the end of the content.
func (s *summing) check() error {
	var one [1]byte
	if n, err := io.ReadFull(s.r, one[:]); n > 0 {
		return errors.New("the member has more bytes than the table says")
	} else if err != io.EOF {
		return err
	}
	if got := s.sum.Sum32(); got != s.want {
		return fmt.Errorf("the checksum is %08x, the table says %08x", got, s.want)
	}
	return nil
}
