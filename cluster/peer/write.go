package peer

import (
	"errors"
	"hash/crc32"
	"os"

	"github.com/leat-dev/leat/fault"
)

// A Writer makes one value of a store. It belongs to one goroutine. Exactly
// one of Commit and Abort ends it; Abort after either is a no-op.
type Writer struct {
	store *Store
	key   string
	buf   []byte   // until it is too large
	file  *os.File // then
	size  int64
	sum   uint32
	err   error
	ended bool
}

// Create starts to write the value of key. Nothing is visible until
// [Writer.Commit] returns nil.
func (s *Store) Create(key string) (*Writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fault.New("put", key, fault.Unavailable, errors.New("the store is closed"))
	}
	return &Writer{store: s, key: key}, nil
}

// Write implements [io.Writer]. An error is kept: Commit returns it too.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.file == nil && w.size+int64(len(p)) > w.store.fileBytes {
		if err := w.spill(); err != nil {
			return 0, err
		}
	}
	if w.file == nil {
		w.buf = append(w.buf, p...)
	} else if _, err := w.file.Write(p); err != nil {
		return 0, w.fail(err)
	}
	w.size += int64(len(p))
	w.sum = crc32.Update(w.sum, castagnoli, p)
	return len(p), nil
}

// Size returns how many bytes were written.
func (w *Writer) Size() int64 { return w.size }

// Sum returns the CRC-32C of what was written.
func (w *Writer) Sum() uint32 { return w.sum }

// Bytes returns what was written while it is still in memory, which it is up
// to the FileBytes of the store, and reports whether it is.
func (w *Writer) Bytes() ([]byte, bool) { return w.buf, w.file == nil }

// spill moves what was written to a file, where the rest will go.
func (w *Writer) spill() error {
	if w.file != nil {
		return nil
	}
	f, err := w.store.newFile()
	if err != nil {
		return w.fail(err)
	}
	w.file = f
	if _, err := f.Write(w.buf); err != nil {
		return w.fail(err)
	}
	w.buf = nil
	return nil
}

func (w *Writer) fail(err error) error {
	w.err = fault.New("put", w.key, fault.Unknown, err)
	return w.err
}

// Commit makes what was written the value of the key and describes it.
func (w *Writer) Commit() (Info, error) {
	if w.ended {
		return Info{}, fault.New("put", w.key, fault.Invalid, errors.New("the writer has ended"))
	}
	if w.err == nil && w.file == nil {
		if w.store.keep(w.key, w.buf, w.sum) {
			w.ended = true
			return Info{Size: w.size, Sum: w.sum}, nil
		}
		w.spill() // the memory budget is spent; an error is kept in w.err
	}
	if w.err == nil {
		if err := w.file.Close(); err != nil {
			w.fail(err)
		}
	}
	if w.err != nil {
		w.Abort()
		return Info{}, w.err
	}
	return w.publish()
}

// publish hands the closed file over to the store.
func (w *Writer) publish() (Info, error) {
	s := w.store
	s.mu.Lock()
	defer s.mu.Unlock()
	w.ended = true
	if s.closed {
		os.Remove(w.file.Name())
		return Info{}, fault.New("put", w.key, fault.Unavailable, errors.New("the store is closed"))
	}
	v := &value{info: Info{Size: w.size, Sum: w.sum}, file: w.file.Name()}
	s.set(w.key, v)
	return v.info, nil
}

// Abort discards what was written.
func (w *Writer) Abort() error {
	if w.ended {
		return nil
	}
	w.ended = true
	w.buf = nil
	if w.file == nil {
		return nil
	}
	w.file.Close()
	return os.Remove(w.file.Name())
}
