package archive

import (
	"bytes"
	"io"
	"os"
)

// spoolBytes is how much of a member is kept in memory.
const spoolBytes = 1 << 20

// A spool keeps bytes aside: in memory, and in a temporary file when there
// are many.
type spool struct {
	mem  bytes.Buffer
	file *os.File
	size int64
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && s.mem.Len()+len(p) > spoolBytes {
		f, err := os.CreateTemp("", "leat-member-")
		if err != nil {
			return 0, err
		}
		s.file = f
		// Gone with the process, where the system lets us.
		_ = os.Remove(f.Name())
		if _, err := f.Write(s.mem.Bytes()); err != nil {
			return 0, err
		}
		s.mem = bytes.Buffer{}
	}
	var n int
	var err error
	if s.file != nil {
		n, err = s.file.Write(p)
	} else {
		n, err = s.mem.Write(p)
	}
	s.size += int64(n)
	return n, err
}

// reader returns what was written.
func (s *spool) reader() (io.Reader, error) {
	if s.file == nil {
		return bytes.NewReader(s.mem.Bytes()), nil
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return s.file, nil
}

// Close drops the bytes.
func (s *spool) Close() error {
	s.mem = bytes.Buffer{}
	if s.file == nil {
		return nil
	}
	name := s.file.Name()
	err := s.file.Close()
	_ = os.Remove(name) // again, for systems that keep what is open
	s.file = nil
	return err
}
