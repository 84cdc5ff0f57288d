package cachefs

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"slices"
	"time"
)

// A file of the cache is the data, the CRC-32C of each chunk of it, and a
// trailer. All numbers are little-endian.
//
//	magic 8 | size 8 | created 8 | key 32 | CRC of the chunk CRCs 4 | CRC of the trailer before 4
//
// The magic names the format and with it the size of chunks.
const (
	chunkBytes   = 64 << 10
	magic        = "leatCFS1"
	trailerBytes = 8 + 8 + 8 + 32 + 4 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunks returns how many chunks size bytes have.
func chunks(size int64) int64 { return (size + chunkBytes - 1) / chunkBytes }

// sealedLen returns the length of a file with size bytes of data.
func sealedLen(size int64) int64 { return size + 4*chunks(size) + trailerBytes }

// A sealed is an open file of the cache whose trailer is right. It belongs to
// one goroutine.
type sealed struct {
	file *os.File
	size int64
	sums []byte
	buf  []byte
}

var (
	errBroken  = errors.New("a broken file of the cache")
	errExpired = errors.New("an old file of the cache")
)

// openSealed opens a file that should hold size bytes under the key. It fails
// with errBroken if it does not, with errExpired if it is too old.
func openSealed(name string, key diskKey, size int64, age time.Duration) (s *sealed, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() != sealedLen(size) {
		return nil, errBroken
	}
	tail := make([]byte, 4*chunks(size)+trailerBytes)
	if _, err := f.ReadAt(tail, size); err != nil {
		return nil, err
	}
	sums, t := tail[:len(tail)-trailerBytes], tail[len(tail)-trailerBytes:]
	created := time.Unix(0, int64(binary.LittleEndian.Uint64(t[16:])))
	switch {
	case string(t[:8]) != magic, int64(binary.LittleEndian.Uint64(t[8:])) != size, diskKey(t[24:56]) != key,
		binary.LittleEndian.Uint32(t[56:]) != crc32.Checksum(sums, castagnoli),
		binary.LittleEndian.Uint32(t[60:]) != crc32.Checksum(t[:60], castagnoli):
		return nil, errBroken
	case expired(created, age):
		return nil, errExpired
	}
	touch(name, info)
	return &sealed{file: f, size: size, sums: sums}, nil
}

// touch notes that a file was used, by its modification time, as evicting
// looks at it. A minute is exact enough.
func touch(name string, info os.FileInfo) {
	if time.Since(info.ModTime()) > time.Minute {
		now := time.Now()
		_ = os.Chtimes(name, now, now) // or it goes a little early
	}
}

// chunk returns chunk i, checked. It is valid until the next call.
func (s *sealed) chunk(i int64) ([]byte, error) {
	if s.buf == nil {
		s.buf = make([]byte, min(chunkBytes, s.size))
	}
	at := i * chunkBytes
	data := s.buf[:min(chunkBytes, s.size-at)]
	if err := s.read(data, at); err != nil {
		return nil, err
	}
	return data, nil
}

// all returns all data, checked.
func (s *sealed) all() ([]byte, error) {
	data := make([]byte, s.size)
	if err := s.read(data, 0); err != nil {
		return nil, err
	}
	return data, nil
}

// read reads whole chunks from the offset at, which is that of a chunk, and
// checks them.
func (s *sealed) read(data []byte, at int64) error {
	if _, err := s.file.ReadAt(data, at); err != nil {
		return err
	}
	sums := s.sums[4*(at/chunkBytes):]
	for chunk := range slices.Chunk(data, chunkBytes) {
		if crc32.Checksum(chunk, castagnoli) != binary.LittleEndian.Uint32(sums) {
			return errBroken
		}
		sums = sums[4:]
	}
	return nil
}

func (s *sealed) close() { s.file.Close() } // read only: nothing can be lost

// A sealer makes the checksums and the trailer of a file.
type sealer struct {
	sums  []byte
	crc   uint32 // of the last chunk so far
	count int    // its bytes
	size  int64
}

// add takes data along.
func (s *sealer) add(p []byte) {
	s.size += int64(len(p))
	for len(p) > 0 {
		n := min(len(p), chunkBytes-s.count)
		s.crc = crc32.Update(s.crc, castagnoli, p[:n])
		if s.count += n; s.count == chunkBytes {
			s.endChunk()
		}
		p = p[n:]
	}
}

func (s *sealer) endChunk() {
	s.sums = binary.LittleEndian.AppendUint32(s.sums, s.crc)
	s.crc, s.count = 0, 0
}

// tail returns what comes behind the data.
func (s *sealer) tail(key diskKey) []byte {
	if s.count > 0 {
		s.endChunk()
	}
	t := make([]byte, 0, trailerBytes)
	t = append(t, magic...)
	t = binary.LittleEndian.AppendUint64(t, uint64(s.size))
	t = binary.LittleEndian.AppendUint64(t, uint64(time.Now().UnixNano()))
	t = append(t, key[:]...)
	t = binary.LittleEndian.AppendUint32(t, crc32.Checksum(s.sums, castagnoli))
	t = binary.LittleEndian.AppendUint32(t, crc32.Checksum(t, castagnoli))
	return append(s.sums, t...)
}
