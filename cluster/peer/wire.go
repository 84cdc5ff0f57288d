package peer

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/leat-dev/leat/fault"
)

const (
	// maxKeyBytes bounds a key; it must fit a request line with room to
	// spare.
	maxKeyBytes = 4 << 10
	// maxFetchKeys and maxFetchBytes bound one fetch request.
	maxFetchKeys  = 1024
	maxFetchBytes = 1 << 20

	objectPath = "/v1/o/"
	fetchPath  = "/v1/fetch"
	sumHeader  = "Leat-Crc32c"

	frameBytes = 20
)

// The states of a frame.
const (
	statusOK     = 200
	statusAbsent = 404
	statusBroken = 500
)

// pathOf returns the request path of a key.
func pathOf(key string) string {
	return objectPath + base64.RawURLEncoding.EncodeToString([]byte(key))
}

// keyOf is the inverse of pathOf for the part behind objectPath.
func keyOf(s string) (string, error) {
	key, err := base64.RawURLEncoding.DecodeString(s)
	switch {
	case err != nil:
		return "", errors.New("the key is not unpadded base64url")
	case len(key) == 0:
		return "", errors.New("the key is empty")
	case len(key) > maxKeyBytes:
		return "", fmt.Errorf("the key is longer than %d bytes", maxKeyBytes)
	}
	return string(key), nil
}

func formatSum(sum uint32) string { return fmt.Sprintf("%08x", sum) }

// parseSum reads a checksum header; an empty one is no error, and unchecked.
func parseSum(s string) (sum uint32, ok bool, err error) {
	if s == "" {
		return 0, false, nil
	}
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil || len(s) != 8 {
		return 0, false, fmt.Errorf("header %s is not eight hex digits: %q", sumHeader, s)
	}
	return uint32(n), true, nil
}

// checkKey refuses keys that cannot be sent.
func checkKey(op, key string) error {
	if key == "" || len(key) > maxKeyBytes {
		return fault.New(op, key, fault.Invalid, fmt.Errorf("a key has 1 to %d bytes, this one %d", maxKeyBytes, len(key)))
	}
	return nil
}

// appendKey adds a key to the body of a fetch.
func appendKey(b []byte, key string) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(key)))
	return append(b, key...)
}

// readKeys reads the body of a fetch.
func readKeys(body []byte) ([]string, error) {
	var keys []string
	for len(body) > 0 {
		if len(body) < 4 {
			return nil, errors.New("the body ends inside a length")
		}
		n := binary.LittleEndian.Uint32(body)
		body = body[4:]
		if n == 0 || n > maxKeyBytes || int(n) > len(body) {
			return nil, fmt.Errorf("key %d has a bad length: %d", len(keys), n)
		}
		if len(keys) == maxFetchKeys {
			return nil, fmt.Errorf("more than %d keys", maxFetchKeys)
		}
		keys = append(keys, string(body[:n]))
		body = body[n:]
	}
	return keys, nil
}

// A frame is the head of one value in the answer to a fetch.
type frame struct {
	index  uint32
	status uint32
	size   uint64
	sum    uint32
}

func (f frame) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, f.index)
	b = binary.LittleEndian.AppendUint32(b, f.status)
	b = binary.LittleEndian.AppendUint64(b, f.size)
	return binary.LittleEndian.AppendUint32(b, f.sum)
}

func readFrame(r io.Reader) (frame, error) {
	var b [frameBytes]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return frame{}, short(err)
	}
	return frame{
		index:  binary.LittleEndian.Uint32(b[:]),
		status: binary.LittleEndian.Uint32(b[4:]),
		size:   binary.LittleEndian.Uint64(b[8:]),
		sum:    binary.LittleEndian.Uint32(b[16:]),
	}, nil
}
