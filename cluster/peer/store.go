package peer

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/internal/scratch"
)

const (
	defaultMemoryBytes = 256 << 20
	defaultFileBytes   = 256 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// StoreOptions tunes [NewStore].
type StoreOptions struct {
	// Dir is where the store makes its directory; empty means that of the
	// system for temporary files. The directory is made when the first file
	// is.
	Dir string
	// MemoryBytes bounds the values in memory; 0 means 256 MiB, negative
	// that all values live in files.
	MemoryBytes int64
	// FileBytes is the size above which a value lives in a file, because
	// the kernel can send it from there without copying; 0 means 256 KiB.
	FileBytes int64
}

// A Store keeps values by key, in memory and in files. It is safe for
// concurrent use; the zero value is not usable.
type Store struct {
	parent      string
	memoryBytes int64
	fileBytes   int64

	mu     sync.Mutex
	values map[string]*value
	puts   uint64 // numbers values and files
	stats  Stats
	closed bool

	dirOnce sync.Once
	dir     *scratch.Dir
	dirErr  error
}

// value is immutable.
type value struct {
	info Info
	data []byte // nil when in a file
	file string
}

// Info describes a value.
type Info struct {
	// Size is in bytes.
	Size int64
	// Sum is the CRC-32C of the value.
	Sum uint32
	// Tag is different for each value that was ever put; it is the ETag
	// without its quotes.
	Tag string
}

// Stats says what a store holds.
type Stats struct {
	// Values counts the keys, MemoryBytes and FileBytes what they take.
	Values, MemoryBytes, FileBytes int64
	// Puts counts the values ever put.
	Puts uint64
}

// NewStore returns an empty store. A nil opts means the defaults.
func NewStore(opts *StoreOptions) (*Store, error) {
	var o StoreOptions
	if opts != nil {
		o = *opts
	}
	if o.MemoryBytes == 0 {
		o.MemoryBytes = defaultMemoryBytes
	}
	if o.FileBytes == 0 {
		o.FileBytes = defaultFileBytes
	}
	if o.Dir == "" {
		o.Dir = os.TempDir()
	}
	if st, err := os.Stat(o.Dir); err != nil {
		return nil, fault.New("store", o.Dir, fault.Unknown, err)
	} else if !st.IsDir() {
		return nil, fault.New("store", o.Dir, fault.Invalid, errors.New("not a directory"))
	}
	return &Store{
		parent: o.Dir, memoryBytes: o.MemoryBytes, fileBytes: o.FileBytes,
		values: map[string]*value{},
	}, nil
}

// Put makes data the value of key, in place of any other. The store keeps
// data itself, so it must not be changed afterwards.
func (s *Store) Put(key string, data []byte) error {
	if int64(len(data)) <= s.fileBytes && s.keep(key, data, crc32.Checksum(data, castagnoli)) {
		return nil
	}
	w, err := s.Create(key)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := w.spill(); err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	_, err = w.Commit()
	return err
}

// keep puts a value into memory, if it fits and the store is open.
func (s *Store) keep(key string, data []byte, sum uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.stats.MemoryBytes
	if old := s.values[key]; old != nil && old.file == "" {
		held -= old.info.Size
	}
	if s.closed || held+int64(len(data)) > s.memoryBytes {
		return false
	}
	if data == nil {
		data = []byte{}
	}
	s.set(key, &value{info: Info{Size: int64(len(data)), Sum: sum}, data: data})
	return true
}

// set makes v the value of key. The caller holds s.mu.
func (s *Store) set(key string, v *value) {
	s.forget(key)
	s.puts++
	v.info.Tag = fmt.Sprintf("%x-%08x", s.puts, v.info.Sum)
	s.values[key] = v
	s.stats.Values++
	s.stats.Puts = s.puts
	if v.file == "" {
		s.stats.MemoryBytes += v.info.Size
	} else {
		s.stats.FileBytes += v.info.Size
	}
}

// forget drops the value of key. Who has its file open reads on. The caller
// holds s.mu.
func (s *Store) forget(key string) {
	v := s.values[key]
	if v == nil {
		return
	}
	delete(s.values, key)
	s.stats.Values--
	if v.file == "" {
		s.stats.MemoryBytes -= v.info.Size
		return
	}
	s.stats.FileBytes -= v.info.Size
	os.Remove(v.file)
}

// Stat describes the value of key and reports whether there is one.
func (s *Store) Stat(key string) (Info, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.values[key]
	if v == nil {
		return Info{}, false
	}
	return v.info, true
}

// Get returns the value of key. It must not be changed. Values in files are
// read and checked.
func (s *Store) Get(key string) ([]byte, error) {
	r, err := s.Open(key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.file == nil {
		return r.data, nil
	}
	data := make([]byte, r.info.Size)
	if _, err := io.ReadFull(r.file, data); err != nil {
		return nil, fault.New("get", key, fault.Corrupt, err)
	}
	if crc32.Checksum(data, castagnoli) != r.info.Sum {
		return nil, fault.New("get", key, fault.Corrupt, errors.New("the file of the store has changed"))
	}
	return data, nil
}

// Open starts to read the value of key; NotExist when there is none. The
// caller closes the reader. A value that is dropped meanwhile can be read to
// its end.
func (s *Store) Open(key string) (*Reader, error) {
	s.mu.Lock()
	v := s.values[key]
	closed := s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return nil, fault.New("get", key, fault.Unavailable, errors.New("the store is closed"))
	case v == nil:
		return nil, fault.New("get", key, fault.NotExist, nil)
	case v.file == "":
		return &Reader{ReadSeeker: bytes.NewReader(v.data), info: v.info, data: v.data}, nil
	}
	f, err := os.Open(v.file)
	if err != nil { // dropped between the two
		return nil, fault.New("get", key, fault.Unknown, err)
	}
	return &Reader{ReadSeeker: f, info: v.info, file: f}, nil
}

// A Reader reads one value of a store. It belongs to one goroutine.
type Reader struct {
	io.ReadSeeker
	info Info
	data []byte
	file *os.File
}

// Info describes the value.
func (r *Reader) Info() Info { return r.info }

// Close releases the reader.
func (r *Reader) Close() error {
	if r.file != nil {
		return r.file.Close()
	}
	return nil
}

// Drop forgets the values of keys; absent keys are passed over.
func (s *Store) Drop(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		s.forget(k)
	}
}

// DropAll forgets every value. Values that are being written may still be
// committed.
func (s *Store) DropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.values {
		s.forget(k)
	}
}

// Keys returns the keys that have values, in no order.
func (s *Store) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]string, 0, len(s.values))
	for k := range s.values {
		keys = append(keys, k)
	}
	return keys
}

// Stats says what the store holds.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Close forgets everything and removes the directory. Calls after it fail
// with kind Unavailable; a second Close does nothing.
func (s *Store) Close() error {
	s.DropAll()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.dirOnce.Do(func() { s.dirErr = errors.New("the store is closed") })
	if s.dir == nil {
		return nil
	}
	return s.dir.Remove()
}

// newFile makes a file for a value.
func (s *Store) newFile() (*os.File, error) {
	s.dirOnce.Do(func() { s.dir, s.dirErr = scratch.Make(s.parent, "leat-store-") })
	if s.dirErr != nil {
		return nil, s.dirErr
	}
	s.mu.Lock()
	s.puts++
	name := filepath.Join(s.dir.Path(), strconv.FormatUint(s.puts, 36))
	s.mu.Unlock()
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}
