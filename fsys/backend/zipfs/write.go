package zipfs

import (
	"archive/zip"
	"context"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// A Method says how members are compressed.
type Method uint16

// The methods that are written. The zero value is Deflate.
const (
	Deflate Method = 0 // what every program reads
	Store   Method = 1 // not at all: ranges of members can be read by range
	Zstd    Method = 2 // smaller and faster, read by newer programs only
)

// CreateOptions tunes [Create]. A nil pointer is the default.
type CreateOptions struct {
	// Method is how members are compressed. Default: [Deflate].
	Method Method
	// Exclusive fails when something is at the path already.
	Exclusive bool
}

// A Writer writes a new archive. It is safe for concurrent use; members stand
// in the order of their commits.
type Writer struct{ b *archive.Builder }

// Create starts an archive at path of inner. It is visible once
// [Writer.Commit] returned nil; defer [Writer.Abort], which then does
// nothing. opts may be nil.
func Create(ctx context.Context, inner *fsys.FS, path string, opts *CreateOptions) (*Writer, error) {
	var o CreateOptions
	if opts != nil {
		o = *opts
	}
	b, err := archive.NewBuilder(ctx, inner, path, &fsys.CreateOptions{Exclusive: o.Exclusive}, func(w io.Writer) (archive.Format, error) {
		return &format{w: zip.NewWriter(w), method: o.Method}, nil
	})
	if err != nil {
		return nil, err
	}
	return &Writer{b}, nil
}

// Create starts a member. It is compressed into memory, or a temporary file,
// and added by its Commit; its Abort leaves nothing in the archive. A name
// that is taken is [fault.Exist]; one that is absolute or has a component
// "." or ".." is [fault.Invalid].
func (w *Writer) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	return w.b.Create(ctx, path, opts)
}

// Commit publishes the archive. All members must have ended.
func (w *Writer) Commit(ctx context.Context) (fsys.Entry, error) { return w.b.Commit(ctx) }

// Abort gives the archive up and leaves nothing of it.
func (w *Writer) Abort() error { return w.b.Abort() }

// format is zip for the builder.
type format struct {
	w      *zip.Writer
	method Method
}

// Pack implements archive.Format.
func (f *format) Pack(dst io.Writer) (io.WriteCloser, error) {
	switch f.method {
	case Store:
		return nil, nil
	case Zstd:
		return borrow(&zstds, dst, func() (compressor, error) { return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)) })
	}
	return borrow(&flates, dst, func() (compressor, error) { return flate.NewWriter(nil, flate.DefaultCompression) })
}

// Compressors have tables of a megabyte and more, so members take turns.
var flates, zstds sync.Pool

// A compressor can be used again.
type compressor interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// lent is a compressor that goes back to its pool when it is closed; one that
// is given up does not.
type lent struct {
	compressor
	pool *sync.Pool
}

func borrow(pool *sync.Pool, dst io.Writer, make func() (compressor, error)) (io.WriteCloser, error) {
	c, ok := pool.Get().(compressor)
	if !ok {
		var err error
		if c, err = make(); err != nil {
			return nil, err
		}
	}
	c.Reset(dst)
	return &lent{c, pool}, nil
}

// Close implements io.Closer. It is called once.
func (l *lent) Close() error {
	err := l.compressor.Close()
	if err == nil {
		l.compressor.Reset(nil) // keeps nothing of the member alive
		l.pool.Put(l.compressor)
	}
	return err
}

// Add implements archive.Format.
func (f *format) Add(m *archive.Member) error {
	h := &zip.FileHeader{
		Name: m.Path, Method: map[Method]uint16{Deflate: methodDeflate, Store: methodStored, Zstd: methodZstd}[f.method],
		CRC32: m.CRC, CompressedSize64: uint64(m.Packed), UncompressedSize64: uint64(m.Size),
		Modified: m.ModTime, ExternalAttrs: 0o100644 << 16, CreatorVersion: 3<<8 | 45, ReaderVersion: 20,
	}
	const flagUTF8 = 1 << 11
	if utf8.ValidString(m.Path) {
		h.Flags |= flagUTF8
	}
	if m.Packed >= 1<<32-1 || m.Size >= 1<<32-1 {
		h.Flags |= flagDescriptor // where the sizes of large members go
		h.ReaderVersion = 45
	}
	t := m.ModTime.UTC()
	//lint:ignore SA1019 CreateRaw does not look at Modified
	h.ModifiedDate = uint16(t.Day() + int(t.Month())<<5 + (t.Year()-1980)<<9)
	//lint:ignore SA1019 CreateRaw does not look at Modified
	h.ModifiedTime = uint16(t.Second()/2 + t.Minute()<<5 + t.Hour()<<11)
	h.Extra = append([]byte{0x55, 0x54, 5, 0, 1}, le.AppendUint32(nil, uint32(t.Unix()))...)
	w, err := f.w.CreateRaw(h)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, m.Body)
	return err
}

// Finish implements archive.Format.
func (f *format) Finish() error { return f.w.Close() }
