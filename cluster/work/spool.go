package work

import (
	"bufio"
	"io"
	"os"
)

// spoolBytes is what a spool keeps in memory before it goes to a file.
const spoolBytes = 4 << 20

// A spool holds bytes that are written once and then read, in memory or,
// when there are many, in a file without a name.
type spool struct {
	dir  string
	buf  []byte
	file *os.File
	out  *bufio.Writer
	size int64
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && len(s.buf)+len(p) <= spoolBytes {
		s.buf = append(s.buf, p...)
		s.size += int64(len(p))
		return len(p), nil
	}
	if err := s.spill(); err != nil {
		return 0, err
	}
	n, err := s.out.Write(p)
	s.size += int64(n)
	return n, err
}

func (s *spool) spill() error {
	if s.file != nil {
		return nil
	}
	f, err := os.CreateTemp(s.dir, "leat-spool-")
	if err != nil {
		return err
	}
	os.Remove(f.Name()) // gone with the descriptor, however this process ends
	s.file, s.out = f, bufio.NewWriterSize(f, readBufferBytes)
	_, err = s.out.Write(s.buf)
	s.buf = nil
	return err
}

// section returns a reader of n bytes from off. All writing is over.
func (s *spool) section(off, n int64) (io.Reader, error) {
	if s.file == nil {
		return &memory{s.buf[off : off+n]}, nil
	}
	if err := s.out.Flush(); err != nil {
		return nil, err
	}
	return io.NewSectionReader(s.file, off, n), nil
}

// memory is a bytes.Reader for one pass.
type memory struct{ b []byte }

// Read implements io.Reader.
func (m *memory) Read(p []byte) (int, error) {
	if len(m.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, m.b)
	m.b = m.b[n:]
	return n, nil
}

// WriteTo implements io.WriterTo.
func (m *memory) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(m.b)
	m.b = m.b[n:]
	return int64(n), err
}

// Close releases the file.
func (s *spool) Close() error {
	s.buf = nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file, s.out = nil, nil
	return err
}
