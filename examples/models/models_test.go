package models_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/examples/models"
	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/loop/looptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	size   = 100_000
	window = 10_000                // what the socket holds
	sip    = 1000                  // what the peer reads at a time
	period = 10 * time.Millisecond // and how often: the socket lasts for 100 ms
	slice  = 5 * time.Millisecond  // of computing
)

// A trial is one transfer to a slow peer in virtual time.
type trial struct {
	sim      *looptest.Sim
	to       loop.Stream
	got      int
	sips     int // how often the peer wanted to read, until the end: the duration
	slices   int // computed until then
	wasteful int // of those, with room in the socket
}

// start connects and calls run when there is a stream.
func start(t *testing.T, opts *looptest.Options, run func(*trial)) *trial {
	t.Helper()
	x := &trial{sim: looptest.New(t, opts)}
	x.sim.Net.Default = looptest.Link{Window: window}
	x.sim.Net.Node("peer").Listen(x.drink)
	x.sim.Net.Node("program").Dial("peer", func(s loop.Stream, err error) {
		if err != nil {
			t.Error(err)
			return
		}
		x.to = s
		run(x)
	})
	x.sim.Run()
	if x.got != size {
		t.Errorf("the peer got %d bytes of %d", x.got, size)
	}
	return x
}

// drink reads a little at fixed times, whatever the program does.
func (x *trial) drink(s loop.Stream) {
	began := x.sim.Loop.Now()
	buf := make([]byte, sip)
	var read func()
	read = func() {
		x.sips++
		n, err := s.Read(buf)
		x.got += n
		if err == io.EOF {
			_ = s.Close()
			x.to = nil
			return
		}
		due := began + time.Duration(x.sips)*period
		x.sim.Loop.After(due-x.sim.Loop.Now(), loop.Control, read)
	}
	read()
}

// computes returns n computations of many slices each.
func (x *trial) computes(n int) []func() bool {
	var list []func() bool
	for range n {
		left := 400 / n
		list = append(list, func() bool {
			if x.to != nil {
				x.slices++
				if _, err := x.to.Write(nil); err == nil {
					x.wasteful++
				}
			}
			x.sim.Spend(slice)
			left--
			return left > 0
		})
	}
	return list
}

// many is how many computations run beside the transfer. A slice of each takes
// longer than the socket lasts.
const many = 40

// alone is how long the transfer takes with nothing beside it.
func alone(t *testing.T) int {
	x := start(t, &looptest.Options{FIFO: true}, func(x *trial) {
		if err := models.MainLoop(x.sim.Loop, x.to, make([]byte, size)); err != nil {
			t.Error(err)
		}
	})
	return x.sips
}

// With priorities, computing runs only while the socket has no room, and the
// transfer takes as long as alone; in every order of events.
func TestIdleTakesWhatIsLeftOver(t *testing.T) {
	want := alone(t)
	for name, run := range map[string]func(*trial) error{
		"main loop": func(x *trial) error {
			return models.MainLoop(x.sim.Loop, x.to, make([]byte, size), x.computes(many)...)
		},
		"coroutines": func(x *trial) error {
			models.Coroutines(x.sim.Loop, x.to, make([]byte, size), x.computes(many)...)
			return nil
		},
		"generators": func(x *trial) error {
			return models.Generators(x.sim.Loop, x.to, make([]byte, size), x.computes(1)[0])
		},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= 20; seed++ {
				x := start(t, &looptest.Options{Seed: seed}, func(x *trial) {
					if err := run(x); err != nil {
						t.Error(err)
					}
				})
				if x.wasteful != 0 || x.sips != want {
					t.Errorf("seed %d: %d of %d slices ran with room in the socket; the transfer took %d periods, alone %d",
						seed, x.wasteful, x.slices, x.sips, want)
				}
				// Two slices fit in a period: none of the time is left unused.
				if x.slices < 2*(want-window/sip-2) {
					t.Errorf("seed %d: only %d slices in %d periods", seed, x.slices, x.sips)
				}
			}
		})
	}
}

// Without priorities it does not hold.
func TestEqualsGetInTheWay(t *testing.T) {
	want := alone(t)
	for name, run := range map[string]func(*trial) error{
		"reactor": func(x *trial) error {
			return models.Reactor(x.sim.Loop, x.to, make([]byte, size), x.computes(many)...)
		},
		"green threads": func(x *trial) error {
			models.GreenThreads(x.sim.Loop, x.to, make([]byte, size), x.computes(many)...)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := start(t, &looptest.Options{FIFO: true}, func(x *trial) {
				if err := run(x); err != nil {
					t.Error(err)
				}
			})
			if x.wasteful == 0 || x.sips <= want {
				t.Errorf("%d of %d slices ran with room in the socket; the transfer took %d periods, alone %d",
					x.wasteful, x.slices, x.sips, want)
			}
		})
	}
}

// A producer that is told to pause has a bounded part of its data in memory.
func TestProducerIsHeldBack(t *testing.T) {
	const high = 5000
	made, most := 0, 0
	var x *trial
	p := &models.Producer{Err: io.ErrUnexpectedEOF}
	x = start(t, nil, func(x *trial) {
		p.Next = func() []byte {
			if made == size {
				return nil
			}
			made += sip
			most = max(most, made-x.got)
			return make([]byte, sip)
		}
		x.sim.Loop.AttachStream(x.to, p, &loop.TransportOptions{High: high})
	})
	if p.Err != nil {
		t.Errorf("the connection ended with %v", p.Err)
	}
	if limit := window + high + 2*sip; most > limit || x.got != size {
		t.Errorf("%d bytes were made and not read, more than %d", most, limit)
	}
}

// deepest is a stream that notes how deep in the stack it is used.
type deepest struct {
	loop.Stream
	depth int
}

func (d *deepest) Write(p []byte) (int, error) {
	d.depth = max(d.depth, runtime.Callers(0, make([]uintptr, 1000)))
	return d.Stream.Write(p)
}

// Callbacks of operations that need not wait do not pile up.
func TestCallbacksStayShallow(t *testing.T) {
	var d *deepest
	ended := 0
	start(t, nil, func(x *trial) {
		d = &deepest{Stream: x.to}
		pieces := make([][]byte, size)
		for i := range pieces {
			pieces[i] = []byte{0}
		}
		models.Callbacks(x.sim.Loop, d, pieces, func(err error) {
			if ended++; err != nil {
				t.Error(err)
			}
		})
	})
	if d.depth > 100 || ended != 1 {
		t.Errorf("%d frames deep, done called %d times", d.depth, ended)
	}
}

// Nothing is computed before the last byte is gone.
func TestBlockingDoesOneThingAtATime(t *testing.T) {
	r, w := io.Pipe()
	data := bytes.Repeat([]byte("x"), size)
	got, early := 0, 0
	done := make(chan error, 1)
	finished := make(chan struct{})
	go func() { // ends with the pipe
		defer close(finished)
		buf := make([]byte, sip)
		for {
			n, err := r.Read(buf)
			if got += n; err != nil {
				return
			}
		}
	}()
	slices := 0
	go func() { // ends when all is computed
		done <- models.Blocking(w, data, func() bool {
			_ = w.Close()
			<-finished
			if got < size {
				early++
			}
			slices++
			return slices < 10
		})
	}()
	if err := <-done; err != nil || early != 0 || slices != 10 {
		t.Errorf("%v; %d of %d slices came early", err, early, slices)
	}
	if err := models.Blocking(w, data, func() bool { return false }); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a closed pipe: %v", err)
	}
}
