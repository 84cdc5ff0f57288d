package task

import "testing"

// The queue is first in, first out across its blocks, and what was popped
// does not keep later blocks alive.
func TestQueue(t *testing.T) {
	var g Group
	g.queue.init(&g.firstBlock, g.firstTasks[:])
	q := &g.queue
	in, out := uint32(0), uint32(0)
	for step := range 2000 {
		if step%3 < 2 {
			q.push().seq = in
			in++
			continue
		}
		if r := q.pop(); r == nil || r.seq != out {
			t.Fatalf("popped %v, want %d", r, out)
		}
		out++
	}
	if q.len != int(in-out) {
		t.Errorf("length %d, want %d", q.len, in-out)
	}
	if g.firstBlock.next != nil {
		t.Error("the first block holds on to the later ones")
	}
	for r := q.pop(); r != nil; r = q.pop() {
		if r.seq != out {
			t.Fatalf("popped %d, want %d", r.seq, out)
		}
		out++
	}
	if out != in {
		t.Errorf("popped %d of %d", out, in)
	}
	q.push().seq = 7
	if q.clear() != 1 || q.pop() != nil {
		t.Error("clear left something")
	}
	if q.push().seq = 8; q.pop().seq != 8 {
		t.Error("the queue does not work after clear")
	}
}
