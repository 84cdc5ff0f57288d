package tarfs

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/leat-dev/leat/internal/archive"
)

const (
	// A gap up to this is read and dropped, which costs less than a request.
	gapBytes = 512 << 10
	// Requests grow while the archive is read without gaps.
	firstWindow, lastWindow = 256 << 10, 32 << 20
)

// A window reads a plain archive by ranges and skips what is sought over. It
// is an io.ReadSeeker for seeking forwards.
type window struct {
	ctx  context.Context
	src  *archive.Source
	pos  int64 // of the reader
	at   int64 // of buf
	body io.ReadCloser
	buf  *bufio.Reader
	left int64 // bytes that body still has to give
	size int64 // of the next request
}

func newWindow(ctx context.Context, src *archive.Source) *window {
	return &window{ctx: ctx, src: src, buf: bufio.NewReaderSize(nil, 64<<10), size: firstWindow}
}

// Read implements io.Reader.
func (w *window) Read(p []byte) (int, error) {
	if err := w.align(); err != nil {
		return 0, err
	}
	n, err := w.buf.Read(p[:min(int64(len(p)), w.left)])
	w.pos, w.at, w.left = w.pos+int64(n), w.at+int64(n), w.left-int64(n)
	if err == io.EOF && n > 0 {
		err = nil
	}
	return n, err
}

// align makes buf stand at pos with something to give. Where the archive ends
// it returns io.EOF.
func (w *window) align() error {
	if gap := w.pos - w.at; w.body != nil && gap > 0 && gap <= gapBytes && gap < w.left {
		n, err := w.buf.Discard(int(gap))
		w.at, w.left = w.at+int64(n), w.left-int64(n)
		if err != nil {
			return err
		}
	}
	if w.body != nil && w.at == w.pos && w.left > 0 {
		return nil
	}
	size := w.src.Size()
	if size >= 0 && w.pos >= size {
		return io.EOF
	}
	if w.at == w.pos && w.body != nil {
		w.size = min(2*w.size, lastWindow)
	} else {
		w.size = firstWindow
	}
	if err := w.close(); err != nil {
		return err
	}
	w.left = w.size
	if size >= 0 {
		w.left = min(w.left, size-w.pos)
	}
	var err error
	if w.body, err = w.src.Open(w.ctx, w.pos, w.left); err != nil {
		return err
	}
	w.at = w.pos
	w.buf.Reset(w.body)
	return nil
}

// Seek implements io.Seeker, forwards and relative.
func (w *window) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 || w.pos+offset < w.pos {
		return 0, errors.New("only forwards")
	}
	w.pos += offset
	return w.pos, nil
}

func (w *window) close() error {
	if w.body == nil {
		return nil
	}
	err := w.body.Close()
	w.body = nil
	return err
}
