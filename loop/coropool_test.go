package loop

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/leat-dev/leat/task"
)

// The pool hands out the lowest free index and takes any back.
func TestPool(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var p pool
	var busy []*coro
	isFree := map[int]*coro{}
	for range 30_000 {
		switch {
		case r.IntN(5) < 2 && len(busy) > 0:
			i := r.IntN(len(busy))
			c := busy[i]
			busy[i] = busy[len(busy)-1]
			busy = busy[:len(busy)-1]
			if r.IntN(20) == 0 {
				p.remove(c)
				continue
			}
			p.put(c)
			isFree[c.index] = c
		case r.IntN(100) == 0:
			c := p.last()
			for i := range isFree {
				if c == nil || i > c.index {
					t.Fatalf("seed %d: last gave %v, %d is free", seed, c, i)
				}
			}
			if c != nil {
				delete(isFree, c.index)
				p.remove(c)
			}
		default:
			c := p.get()
			for i := range isFree {
				if c == nil || i < c.index {
					t.Fatalf("seed %d: got %v, %d is free", seed, c, i)
				}
			}
			if c == nil {
				c = &coro{}
				p.add(c)
			}
			delete(isFree, c.index)
			busy = append(busy, c)
		}
		if p.busy() != len(busy) || p.idle != len(isFree) {
			t.Fatalf("seed %d: %d busy and %d idle, want %d and %d", seed, p.busy(), p.idle, len(busy), len(isFree))
		}
	}
}

// Coroutines beyond the spare ones go when they were not needed for a while.
func TestTrim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(&Options{Spare: 10})
		storm := func() {
			for range 100 {
				l.Go(Normal, "", Yield)
			}
		}
		l.Go(Normal, "", func(ctx context.Context) error {
			defer l.Stop()
			for range 3 { // a storm each half second keeps them
				storm()
				if err := Sleep(ctx, trimAfter/2); err != nil {
					return err
				}
				if n := l.co.pool.idle; n != 100 {
					t.Errorf("%d idle during the storms", n)
				}
			}
			if err := Sleep(ctx, 3*trimAfter); err != nil {
				return err
			}
			if n := l.co.pool.idle; n != 10 {
				t.Errorf("%d idle long after the storms", n)
			}
			return nil
		})
		if err := l.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Goroutines are known while they are in the table, from anywhere.
func TestWhereabouts(t *testing.T) {
	var w whereabouts
	if _, ok := w.here(); ok {
		t.Error("known in an empty table")
	}
	type member struct {
		c    *coro
		quit chan bool
		left chan bool
	}
	var members []member
	step := make(chan bool)
	for i := range 500 {
		m := member{&coro{index: i}, make(chan bool), make(chan bool)}
		go func() { // ends with quit
			m.c.goroutine = task.Goroutine()
			w.enter(m.c)
			step <- true
			<-m.quit
			c, ok := w.here()
			w.leave(m.c.goroutine)
			_, still := w.here()
			m.left <- ok && c == m.c && !still
		}()
		<-step
		members = append(members, m)
		if i%3 == 2 {
			m := members[0]
			members = members[1:]
			close(m.quit)
			if !<-m.left {
				t.Fatalf("member %d is not found, or after it left", m.c.index)
			}
		}
		if _, ok := w.here(); ok {
			t.Fatal("a stranger is known")
		}
	}
	for _, m := range members {
		close(m.quit)
		if !<-m.left {
			t.Fatalf("member %d is not found, or after it left", m.c.index)
		}
	}
	if w.live != 0 || len(w.table.Load().keys) > 2048 {
		t.Errorf("%d live, %d slots", w.live, len(w.table.Load().keys))
	}
}
