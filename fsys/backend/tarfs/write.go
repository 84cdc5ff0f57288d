package tarfs

import (
	"archive/tar"
	"context"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// A Compression says how a new archive is compressed.
type Compression uint8

// The compressions that are written. The zero value goes by the name.
const (
	ByName Compression = iota // .gz and .tgz: gzip; .zst and .tzst: zstd; else none
	None                      // parts of members can be read by range
	Gzip                      // what every program reads
	Zstd                      // smaller and faster, read by newer programs only
)

// byName returns the compression that the name of an archive asks for.
func byName(path string) Compression {
	path = strings.ToLower(path)
	switch {
	case strings.HasSuffix(path, ".gz"), strings.HasSuffix(path, ".tgz"):
		return Gzip
	case strings.HasSuffix(path, ".zst"), strings.HasSuffix(path, ".tzst"):
		return Zstd
	}
	return None
}

// CreateOptions tunes [Create]. A nil pointer is the default.
type CreateOptions struct {
	// Compression is that of the whole archive. Default: [ByName].
	Compression Compression
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
	if o.Compression == ByName {
		o.Compression = byName(path)
	}
	b, err := archive.NewBuilder(ctx, inner, path, &fsys.CreateOptions{Exclusive: o.Exclusive}, func(w io.Writer) (archive.Format, error) {
		return newFormat(w, o.Compression)
	})
	if err != nil {
		return nil, err
	}
	return &Writer{b}, nil
}

// Create starts a member. It is kept in memory, or a temporary file, and
// added by its Commit; its Abort leaves nothing in the archive. A name that
// is taken is [fault.Exist]; one that is absolute or has a component "." or
// ".." is [fault.Invalid].
func (w *Writer) Create(ctx context.Context, path string, opts driver.CreateOptions) (driver.Writer, error) {
	return w.b.Create(ctx, path, opts)
}

// Commit publishes the archive. All members must have ended.
func (w *Writer) Commit(ctx context.Context) (fsys.Entry, error) { return w.b.Commit(ctx) }

// Abort gives the archive up and leaves nothing of it.
func (w *Writer) Abort() error { return w.b.Abort() }

// format is tar for the builder.
type format struct {
	w    *tar.Writer
	pack io.WriteCloser // nil: plain
}

func newFormat(w io.Writer, c Compression) (*format, error) {
	f := &format{}
	switch c {
	case Gzip:
		f.pack = gzip.NewWriter(w)
	case Zstd:
		var err error
		if f.pack, err = zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)); err != nil {
			return nil, err
		}
	default:
		f.w = tar.NewWriter(w)
		return f, nil
	}
	f.w = tar.NewWriter(f.pack)
	return f, nil
}

// Pack implements archive.Format: members are compressed all together.
func (f *format) Pack(io.Writer) (io.WriteCloser, error) { return nil, nil }

// Add implements archive.Format.
func (f *format) Add(m *archive.Member) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: m.Path, Size: m.Size, Mode: 0o644, ModTime: m.ModTime}
	if err := f.w.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(f.w, m.Body)
	return err
}

// Finish implements archive.Format.
func (f *format) Finish() error {
	err := f.w.Close()
	if err == nil && f.pack != nil {
		err = f.pack.Close()
	}
	return err
}
