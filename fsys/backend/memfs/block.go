package memfs

import (
	"slices"
	"sort"
)

// An object is one entry: 32 bytes, and one allocation for path and content.
type object struct {
	blob  string // the path, then the content
	mtime int64  // nanoseconds since 1970
	// version is the store's counter at the commit in the upper 48 bits and
	// the length of the path in the lower 16.
	version uint64
}

const maxPath = 1<<16 - 1

func newObject(blob string, pathLen int, mtime int64, counter uint64) object {
	return object{blob: blob, mtime: mtime, version: counter<<16 | uint64(pathLen)}
}

func (o *object) path() string { return o.blob[:o.version&maxPath] }
func (o *object) data() string { return o.blob[o.version&maxPath:] }

// blockMax entries fill a block: few enough to insert by moving bytes, many
// enough that the list of blocks stays short.
const blockMax = 512

// A table is a sorted sequence of objects, cut into blocks. No block is
// empty.
type table struct {
	blocks [][]object
	n      int
}

// find returns the position of the first object whose path is >= path, and
// whether it is path itself. The position may be one past the end.
func (t *table) find(path string) (b, i int, ok bool) {
	b = sort.Search(len(t.blocks), func(b int) bool {
		block := t.blocks[b]
		return block[len(block)-1].path() >= path
	})
	if b == len(t.blocks) {
		return b, 0, false
	}
	block := t.blocks[b]
	i = sort.Search(len(block), func(i int) bool { return block[i].path() >= path })
	return b, i, block[i].path() == path
}

// get returns the object at path.
func (t *table) get(path string) (object, bool) {
	b, i, ok := t.find(path)
	if !ok {
		return object{}, false
	}
	return t.blocks[b][i], true
}

// put inserts o or replaces the object of its path.
func (t *table) put(o object) {
	b, i, ok := t.find(o.path())
	if ok {
		t.blocks[b][i] = o
		return
	}
	t.n++
	if b == len(t.blocks) {
		// Appending in order fills blocks to the brim.
		if b == 0 || len(t.blocks[b-1]) == blockMax {
			t.blocks = append(t.blocks, append(make([]object, 0, blockMax), o))
			return
		}
		b, i = b-1, len(t.blocks[b-1])
	}
	if len(t.blocks[b]) == blockMax {
		b, i = t.split(b, i)
	}
	t.blocks[b] = slices.Insert(t.blocks[b], i, o)
}

// split halves block b and returns where position i of it went.
func (t *table) split(b, i int) (int, int) {
	block := t.blocks[b]
	const half = blockMax / 2
	right := append(make([]object, 0, blockMax), block[half:]...)
	clear(block[half:])
	t.blocks[b] = block[:half]
	t.blocks = slices.Insert(t.blocks, b+1, right)
	if i > half {
		return b + 1, i - half
	}
	return b, i
}

// remove deletes the object at path and reports whether it was there.
func (t *table) remove(path string) bool {
	b, i, ok := t.find(path)
	if !ok {
		return false
	}
	t.n--
	t.blocks[b] = slices.Delete(t.blocks[b], i, i+1)
	t.shrink(b)
	return true
}

// shrink drops block b when it is empty and merges it with its right
// neighbour when both are nearly so.
func (t *table) shrink(b int) {
	block := t.blocks[b]
	if len(block) == 0 {
		t.blocks = slices.Delete(t.blocks, b, b+1)
		return
	}
	if b+1 < len(t.blocks) && len(block)+len(t.blocks[b+1]) <= blockMax/4 {
		t.blocks[b] = append(block, t.blocks[b+1]...)
		t.blocks = slices.Delete(t.blocks, b+1, b+2)
	}
}

// take appends up to n objects from path on to dst.
func (t *table) take(dst []object, path string, n int) []object {
	b, i, _ := t.find(path)
	for ; b < len(t.blocks) && n > 0; b, i = b+1, 0 {
		part := t.blocks[b][i:]
		part = part[:min(n, len(part))]
		dst = append(dst, part...)
		n -= len(part)
	}
	return dst
}
