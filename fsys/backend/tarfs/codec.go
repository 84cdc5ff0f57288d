package tarfs

import (
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/leat-dev/leat/fault"
)

// A codec is how an archive is compressed.
type codec struct {
	magic string
	open  func(r io.Reader) (dec io.Reader, free func(), err error)
}

// magicBytes is how much of an archive tells its codec.
const magicBytes = 6

// zstdMemory bounds the window that an archive may ask for.
const zstdMemory = 128 << 20

// codecs are those that can be read.
var codecs = []*codec{
	{"\x1f\x8b", func(r io.Reader) (io.Reader, func(), error) {
		d, err := gzip.NewReader(r)
		return d, func() {}, err
	}},
	{"BZh", func(r io.Reader) (io.Reader, func(), error) {
		return bzip2.NewReader(r), func() {}, nil
	}},
	{"\x28\xb5\x2f\xfd", func(r io.Reader) (io.Reader, func(), error) {
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdMemory))
		if err != nil {
			return nil, nil, err
		}
		return d, d.Close, nil
	}},
}

// unknown are compressions that are told and not read.
var unknown = map[string]string{"\xfd7zXZ\x00": "xz", "\x1f\x9d": "compress", "LZIP": "lzip", "\x04\x22\x4d\x18": "lz4"}

// detect returns how an archive that begins with head is compressed, nil for
// not at all.
func detect(head []byte) (*codec, error) {
	for _, c := range codecs {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return c, nil
		}
	}
	for magic, name := range unknown {
		if bytes.HasPrefix(head, []byte(magic)) {
			return nil, &fault.Error{Kind: fault.Unsupported, Err: fmt.Errorf("compressed with %s; gzip, bzip2 and zstd are known", name)}
		}
	}
	return nil, nil
}
