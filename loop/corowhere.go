package loop

import (
	"sync/atomic"

	"github.com/leat-dev/leat/task"
)

// A whereabouts tells whether a goroutine is one of a loop's, and which: that
// of Run or one of a coroutine. It is a hash table that anybody may read and
// the loop writes, which only happens when coroutines are made and ended: a
// switch between them costs nothing here.
type whereabouts struct {
	table atomic.Pointer[whereTable]
	used  int // keys that are not free, left ones included
	live  int
}

type whereTable struct {
	keys  []atomic.Uintptr       // free, left, or a goroutine
	coros []atomic.Pointer[coro] // written before the key; nil for the goroutine of Run
}

const (
	free uintptr = iota // these are no goroutines
	left
)

// slot is where the search for a key begins.
func (t *whereTable) slot(key uintptr) int {
	return int(uint64(key>>6)*0x9E3779B97F4A7C15>>32) & (len(t.keys) - 1)
}

// find returns the place of a key, or -1.
func (t *whereTable) find(key uintptr) int {
	if t == nil {
		return -1
	}
	for i := t.slot(key); ; i = (i + 1) & (len(t.keys) - 1) {
		switch t.keys[i].Load() {
		case key:
			return i
		case free:
			return -1
		}
	}
}

// add puts a key in; there is room.
func (t *whereTable) add(key uintptr, c *coro) {
	i := t.slot(key)
	for t.keys[i].Load() != free {
		i = (i + 1) & (len(t.keys) - 1)
	}
	t.coros[i].Store(c)
	t.keys[i].Store(key)
}

// enter notes that the calling goroutine is that of c, or of Run if c is nil.
func (w *whereabouts) enter(c *coro) {
	t := w.table.Load()
	if t == nil || 2*(w.used+1) > len(t.keys) {
		size := 16
		for size < 4*(w.live+1) {
			size *= 2
		}
		old := t
		t = &whereTable{make([]atomic.Uintptr, size), make([]atomic.Pointer[coro], size)}
		if old != nil {
			for i := range old.keys {
				if key := old.keys[i].Load(); key > left {
					t.add(key, old.coros[i].Load())
				}
			}
		}
		w.used = w.live
		w.table.Store(t)
	}
	t.add(task.Goroutine(), c)
	w.used++
	w.live++
}

// leave forgets a goroutine before it ends: its number may come again.
func (w *whereabouts) leave(goroutine uintptr) {
	t := w.table.Load()
	if i := t.find(goroutine); i >= 0 {
		t.keys[i].Store(left)
		t.coros[i].Store(nil)
		w.live--
	}
}

// here returns the coroutine that the caller runs on, if it is one, and
// whether it belongs to the loop. It is safe from any goroutine.
func (w *whereabouts) here() (c *coro, onLoop bool) {
	t := w.table.Load()
	i := t.find(task.Goroutine())
	if i < 0 {
		return nil, false
	}
	return t.coros[i].Load(), true
}

// all yields the coroutines. It is safe from any goroutine.
func (w *whereabouts) all(yield func(*coro) bool) {
	t := w.table.Load()
	if t == nil {
		return
	}
	for i := range t.coros {
		if c := t.coros[i].Load(); c != nil && !yield(c) {
			return
		}
	}
}
