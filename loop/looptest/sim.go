package looptest

import (
	"context"
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leat-dev/leat/loop"
)

var seedFlag = flag.Uint64("loop.seed", 0, "the `seed` of simulated loops; 0 means another one in each run")

// Options are the settings of a [Sim]. Nil and zero mean the defaults.
type Options struct {
	// Seed decides order and chance. Default: the flag -loop.seed, or else a
	// new one.
	Seed uint64
	// FIFO keeps the order of callbacks that the loop promises, instead of
	// one from the seed.
	FIFO bool
	// Loop are further options of the loop. Clock, Pick and Finite are set
	// here.
	Loop loop.Options
}

// A Sim is a simulated world: a loop, its time, chance and network.
type Sim struct {
	// Loop runs the program; it ends when nothing can happen any more.
	Loop *loop.Loop
	// Net connects nodes on the loop.
	Net *Net
	// Rand is for the program's own chance.
	Rand *rand.Rand
	// Seed is what all of it comes from.
	Seed uint64

	tb    testing.TB
	clock *clock
}

// New returns a world. When the test fails, its seed is logged.
func New(tb testing.TB, opts *Options) *Sim {
	tb.Helper()
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Seed == 0 {
		o.Seed = *seedFlag
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	// One source of chance for each use: what the program draws does not
	// change what the network does.
	source := func(use uint64) *rand.Rand { return rand.New(rand.NewPCG(o.Seed, use)) }
	s := &Sim{Seed: o.Seed, Rand: source(1), tb: tb, clock: &clock{}}
	lo := o.Loop
	lo.Clock, lo.Finite = s.clock, true
	if !o.FIFO {
		order := source(2)
		lo.Pick = func(_ loop.Priority, n int) int { return order.IntN(n) }
	}
	s.Loop = loop.New(&lo)
	s.Net = newNet(s.Loop, source(3))
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("seed %d; to run it again: -loop.seed=%d", s.Seed, s.Seed)
		}
	})
	return s
}

// Run runs the world until nothing can happen any more. It fails the test
// when the loop fails or somebody waits for what cannot happen.
func (s *Sim) Run() {
	s.tb.Helper()
	if err := s.Loop.Run(context.Background()); err != nil {
		s.tb.Errorf("the loop ended after %v with: %v", s.Loop.Now(), err)
	}
}

// RunFor is [Sim.Run], but stops when d has passed in the world.
func (s *Sim) RunFor(d time.Duration) {
	s.tb.Helper()
	s.Loop.After(d, loop.Control, s.Loop.Stop)
	s.Run()
}

// Spend lets d pass as if the caller, a callback, had computed for so long.
func (s *Sim) Spend(d time.Duration) { s.clock.Skip(s.clock.now + d) }

// A clock is at the time that it was told.
type clock struct{ now time.Duration }

func (c *clock) Now() time.Duration { return c.now }

func (c *clock) Skip(to time.Duration) { c.now = max(c.now, to) }
