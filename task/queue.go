package task

import "context"

// A record is one task. It is also the task's context, which is why it is
// never reused: a context may outlive its task.
type record struct {
	g    *Group
	name string
	fn   func(ctx context.Context) error // nil once begun
	at   site                            // of the call of Go
	seq  uint32                          // position in start order from 1; 0 is the body
}

// A queue is a first-in first-out list of records, in blocks so that a task
// costs a fraction of an allocation.
type queue struct {
	head, tail *block
	len        int
}

type block struct {
	next *block
	recs []record
	used int // recs[:used] are pushed
	done int // recs[:done] are popped
}

// fullBlock is a block with its records.
type fullBlock struct {
	block
	all [blockSize]record
}

// A group has room for a few tasks in itself; the blocks of larger ones are
// of 3 KiB.
const (
	fewTasks  = 6
	blockSize = 78
)

// init gives the queue its first block, which the group holds.
func (q *queue) init(b *block, recs []record) {
	b.recs = recs
	q.head, q.tail = b, b
}

// push returns the next free record.
func (q *queue) push() *record {
	b := q.tail
	if b == nil || b.used == len(b.recs) {
		b = q.grow()
	}
	r := &b.recs[b.used]
	b.used++
	q.len++
	return r
}

func (q *queue) grow() *block {
	f := &fullBlock{}
	b := &f.block
	b.recs = f.all[:]
	if q.tail == nil {
		q.head = b
	} else {
		q.tail.next = b
	}
	q.tail = b
	return b
}

// pop returns the oldest record, or nil.
func (q *queue) pop() *record {
	if q.len == 0 {
		return nil
	}
	b := q.head
	if b.done == len(b.recs) {
		q.head, b.next = b.next, nil // a context must not keep later blocks alive
		b = q.head
	}
	r := &b.recs[b.done]
	b.done++
	q.len--
	return r
}

// clear drops all records and returns how many there were.
func (q *queue) clear() int {
	n := q.len
	*q = queue{}
	return n
}
