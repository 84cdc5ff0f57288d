package retryfs

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/leat-dev/leat/fault"
)

// Options tunes [New]. The zero value is the default.
type Options struct {
	// Attempts is how often an operation is tried at most, the first time
	// included. Default 5, which with Base rides out about a second of
	// trouble; negative means once.
	Attempts int
	// Base is the longest first wait; each further one may be twice as long.
	// Default 50 ms, about one round trip to a far service.
	Base time.Duration
	// Cap bounds a single wait that the service did not ask for. Default 5 s.
	Cap time.Duration
	// Total bounds the time from the first failure of an operation to its
	// last try. Default 20 s; negative means no bound.
	Total time.Duration
	// OnRetry, when set, is told of each retry before its wait. It must be
	// safe for concurrent use and not block.
	OnRetry func(Event)
}

// An Event is a retry that is about to happen.
type Event struct {
	Op, Path string
	Attempt  int           // the try that failed, from 1
	Err      error         // why it failed
	Wait     time.Duration // until the next
}

func (o Options) withDefaults() Options {
	if o.Attempts == 0 {
		o.Attempts = 5
	}
	if o.Base <= 0 {
		o.Base = 50 * time.Millisecond
	}
	if o.Cap <= 0 {
		o.Cap = 5 * time.Second
	}
	if o.Total == 0 {
		o.Total = 20 * time.Second
	}
	return o
}

// A series is one operation and its repetitions. The zero value is not
// usable; see [Options.series].
type series struct {
	opts     *Options
	op, path string
	attempt  int // failures since the last progress
	since    time.Time
}

func (o *Options) series(op, path string) series { return series{opts: o, op: op, path: path} }

// progress begins a new count: what follows is another trouble.
func (s *series) progress() { s.attempt = 0 }

// again waits for the next try after err and returns nil, or returns the
// error to give up with.
func (s *series) again(ctx context.Context, err error) error {
	if !fault.KindOf(err).Temporary() || ctx.Err() != nil {
		return err
	}
	if s.attempt == 0 {
		s.since = time.Now()
	}
	s.attempt++
	if s.attempt >= s.opts.Attempts {
		return err
	}
	wait := s.wait(err)
	if s.opts.Total > 0 && time.Since(s.since)+wait > s.opts.Total {
		return err
	}
	if s.opts.OnRetry != nil {
		s.opts.OnRetry(Event{Op: s.op, Path: s.path, Attempt: s.attempt, Err: err, Wait: wait})
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fault.New(s.op, s.path, fault.KindOf(ctx.Err()), context.Cause(ctx))
	}
}

// wait draws the time to wait: anywhere up to the bound that doubles, which
// spreads callers that failed together, but no less than was asked for.
func (s *series) wait(err error) time.Duration {
	bound := s.opts.Cap
	if shift := s.attempt - 1; shift < 32 {
		bound = min(bound, s.opts.Base<<shift)
	}
	return max(rand.N(bound+1), askedFor(err))
}

// askedFor returns the wait that the service asked for.
func askedFor(err error) time.Duration {
	var e *fault.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// do runs call until it succeeds or the series gives up. call learns how
// many tries failed before.
func (o *Options) do(ctx context.Context, op, path string, call func(failed int) error) error {
	s := o.series(op, path)
	for {
		err := call(s.attempt)
		if err == nil {
			return nil
		}
		if err := s.again(ctx, err); err != nil {
			return err
		}
	}
}
