package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
)

// A Member is what a [Builder] adds to an archive.
type Member struct {
	Path    string
	Size    int64     // of the content
	Packed  int64     // of Body
	CRC     uint32    // of the content, IEEE
	ModTime time.Time // when it was committed
	Body    io.Reader
}

// A Format writes one kind of archive.
type Format interface {
	// Pack returns a writer that compresses a member to dst, or nil when
	// members are kept as they are. It is called concurrently.
	Pack(dst io.Writer) (io.WriteCloser, error)
	// Add appends a member.
	Add(m *Member) error
	// Finish writes what comes after the last member.
	Finish() error
}

// outBytes is how much is collected before the store is written to.
const outBytes = 256 << 10

// A Builder writes a new archive. It is safe for concurrent use; members
// stand in the archive in the order of their commits.
type Builder struct {
	ctx context.Context // of the one archive
	url string

	mu     sync.Mutex
	format Format
	out    fsys.Writer
	buf    *bufio.Writer
	names  map[string]struct{}
	open   int
	err    error // sticky: the archive has a broken member, or has ended
}

var errEnded = errors.New("the archive has ended")

// NewBuilder starts to write an archive at path of fs. format is called with
// where the archive goes. The archive appears when [Builder.Commit] returns
// nil, and not at all otherwise.
func NewBuilder(ctx context.Context, fs *fsys.FS, path string, opts *fsys.CreateOptions, format func(w io.Writer) (Format, error)) (*Builder, error) {
	out, err := fs.Create(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	b := &Builder{ctx: ctx, url: fs.URL(path), out: out, buf: bufio.NewWriterSize(out, outBytes), names: map[string]struct{}{}}
	if b.format, err = format(b.buf); err != nil {
		return nil, errors.Join(fault.New("create", b.url, fault.Unknown, err), out.Abort())
	}
	return b, nil
}

// Create starts a member. It is kept aside, in memory and then in a
// temporary file, until its Commit adds it. A name that is taken is
// [fault.Exist], one that [CheckName] refuses [fault.Invalid].
func (b *Builder) Create(ctx context.Context, path string, _ driver.CreateOptions) (driver.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.New("create", path, fault.KindOf(err), context.Cause(ctx))
	}
	if err := CheckName(path); err != nil {
		return nil, fault.New("create", path, fault.Invalid, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return nil, fault.New("create", path, kindOr(b.err, fault.Invalid), b.err)
	}
	if _, ok := b.names[path]; ok {
		return nil, fault.New("create", path, fault.Exist, nil)
	}
	w := &memberWriter{b: b, ctx: ctx, path: path, sum: crc32.NewIEEE(), spool: &spool{}}
	w.dst = w.spool
	pack, err := b.format.Pack(w.spool)
	if err != nil {
		return nil, fault.New("create", path, fault.Unknown, err)
	}
	if pack != nil {
		w.pack, w.dst = pack, pack
	}
	b.open++
	return w, nil
}

func kindOr(err error, kind fault.Kind) fault.Kind {
	if k := fault.KindOf(err); k != fault.Unknown {
		return k
	}
	return kind
}

// add appends what w holds. An archive into which a member went in part can
// only be given up.
func (b *Builder) add(w *memberWriter, m *Member) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return fault.New("commit", w.path, kindOr(b.err, fault.Invalid), b.err)
	}
	if _, ok := b.names[w.path]; ok {
		return fault.New("commit", w.path, fault.Exist, nil)
	}
	if err := b.format.Add(m); err != nil {
		b.err = err
		return fault.New("commit", w.path, fault.Unknown, err)
	}
	b.names[w.path] = struct{}{}
	return nil
}

// ended counts a member that was committed or given up.
func (b *Builder) ended() {
	b.mu.Lock()
	b.open--
	b.mu.Unlock()
}

// Commit publishes the archive with the members that were committed. While a
// member is still being written it refuses, and can be called again.
func (b *Builder) Commit(ctx context.Context) (fsys.Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return fsys.Entry{}, fault.New("commit", b.url, kindOr(b.err, fault.Invalid), b.err)
	case b.open > 0:
		return fsys.Entry{}, fault.New("commit", b.url, fault.Invalid, fmt.Errorf("%d members are still being written", b.open))
	}
	err := b.format.Finish()
	if err == nil {
		err = b.buf.Flush()
	}
	if err != nil {
		b.err = err
		_ = b.out.Abort()
		return fsys.Entry{}, fault.New("commit", b.url, fault.Unknown, err)
	}
	b.err = errEnded
	return b.out.Commit(ctx)
}

// Abort gives the archive up. After Commit it does nothing.
func (b *Builder) Abort() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = errEnded
	}
	return b.out.Abort()
}

// memberWriter writes one member.
type memberWriter struct {
	b     *Builder // nil after Commit or Abort
	ctx   context.Context
	path  string
	dst   io.Writer
	pack  io.WriteCloser // nil: as is
	sum   hash.Hash32
	size  int64
	spool *spool
}

// Write implements io.Writer.
func (w *memberWriter) Write(p []byte) (int, error) {
	if w.b == nil {
		return 0, fault.New("write", w.path, fault.Invalid, errors.New("the writer has ended"))
	}
	if err := w.ctx.Err(); err != nil {
		return 0, fault.New("write", w.path, fault.KindOf(err), context.Cause(w.ctx))
	}
	n, err := w.dst.Write(p)
	_, _ = w.sum.Write(p[:n]) // never fails
	w.size += int64(n)
	if err != nil {
		return n, fault.New("write", w.path, fault.Unknown, err)
	}
	return n, nil
}

// Commit implements driver.Writer.
func (w *memberWriter) Commit(ctx context.Context) (driver.Entry, error) {
	b := w.b
	if b == nil {
		return driver.Entry{}, fault.New("commit", w.path, fault.Invalid, errors.New("the writer has ended"))
	}
	defer w.Abort()
	for _, c := range []context.Context{w.ctx, ctx, b.ctx} {
		if err := c.Err(); err != nil {
			return driver.Entry{}, fault.New("commit", w.path, fault.KindOf(err), context.Cause(c))
		}
	}
	if w.pack != nil {
		if err := w.pack.Close(); err != nil {
			return driver.Entry{}, fault.New("commit", w.path, fault.Unknown, err)
		}
	}
	body, err := w.spool.reader()
	if err != nil {
		return driver.Entry{}, fault.New("commit", w.path, fault.Unknown, err)
	}
	m := &Member{Path: w.path, Size: w.size, Packed: w.spool.size, CRC: w.sum.Sum32(), ModTime: time.Now(), Body: body}
	if err := b.add(w, m); err != nil {
		return driver.Entry{}, err
	}
	return driver.Entry{Path: w.path, Kind: driver.File, Size: w.size, ModTime: m.ModTime}, nil
}

// Abort implements driver.Writer.
func (w *memberWriter) Abort() error {
	if w.b == nil {
		return nil
	}
	w.b.ended()
	w.b = nil
	return w.spool.Close()
}
