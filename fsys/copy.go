package fsys

import (
	"io"
	"sync"
)

// copyBufferBytes is large enough that the cost of a call does not show, and
// small enough that hundreds of copies at once fit in memory.
const copyBufferBytes = 128 << 10

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, copyBufferBytes); return &b }}

// copyBytes copies r to w through a pooled buffer.
func copyBytes(w io.Writer, r io.Reader) (int64, error) {
	b := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(b)
	return io.CopyBuffer(onlyWriter{w}, onlyReader{r}, *b)
}
