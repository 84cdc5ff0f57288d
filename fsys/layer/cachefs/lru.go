package cachefs

import (
	"container/list"
	"sync"
	"time"
)

// An lru keeps values up to a total cost and an age, and drops the one that
// was not used for the longest time. It is safe for concurrent use.
type lru[K comparable, V any] struct {
	max int64         // of all costs; none when not positive
	age time.Duration // none when negative

	mu    sync.Mutex
	cost  int64
	items map[K]*list.Element // of *item[K, V]
	order list.List           // the last used first
}

type item[K comparable, V any] struct {
	key  K
	v    V
	cost int64
	at   time.Time
}

// get returns the value and when it was put.
func (l *lru[K, V]) get(key K) (v V, at time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.items[key]
	if !ok {
		return v, at, false
	}
	i := e.Value.(*item[K, V])
	if expired(i.at, l.age) {
		l.drop(e)
		return v, at, false
	}
	l.order.MoveToFront(e)
	return i.v, i.at, true
}

// put keeps a value. One that costs more than half of all is not kept: it
// would drive out too much.
func (l *lru[K, V]) put(key K, v V, cost int64) { l.putOf(key, v, cost, time.Now()) }

// putOf keeps a value that is of another time.
func (l *lru[K, V]) putOf(key K, v V, cost int64, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.items[key]; ok {
		l.drop(e)
	}
	if cost > l.max/2 {
		return
	}
	if l.items == nil {
		l.items = map[K]*list.Element{}
	}
	l.items[key] = l.order.PushFront(&item[K, V]{key, v, cost, at})
	for l.cost += cost; l.cost > l.max; {
		l.drop(l.order.Back())
	}
}

func (l *lru[K, V]) remove(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.items[key]; ok {
		l.drop(e)
	}
}

func (l *lru[K, V]) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items, l.cost = nil, 0
	l.order.Init()
}

// drop removes an item; the lock is held.
func (l *lru[K, V]) drop(e *list.Element) {
	i := l.order.Remove(e).(*item[K, V])
	delete(l.items, i.key)
	l.cost -= i.cost
}
