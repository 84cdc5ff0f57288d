package cachefs

import (
	"context"
	"errors"
	"sync"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/task"
)

// A blockKey names a block of one version of an object, or with wholeObject
// all of it.
type blockKey struct {
	path, version string
	index         int64
}

const wholeObject = -1

// flights are the fetches under way. Of several that want the same block one
// fetches; the others wait, each as long as its own context lasts. A failure
// is the failure of one: the next in line tries for itself.
type flights struct {
	mu     sync.Mutex
	flying map[blockKey]*flight
}

type flight struct {
	done chan struct{}
	data []byte
	err  error
}

var errPanicked = errors.New("fetching it panicked")

// do returns what fetch returns, or what another's fetch did.
func (f *flights) do(ctx context.Context, key blockKey, fetch func() ([]byte, error)) ([]byte, error) {
	for {
		f.mu.Lock()
		other, ok := f.flying[key]
		if !ok {
			break
		}
		f.mu.Unlock()
		task.Detach(ctx)
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil, fault.New("read", key.path, fault.KindOf(ctx.Err()), context.Cause(ctx))
		}
		if other.err == nil {
			return other.data, nil
		}
	}
	own := &flight{done: make(chan struct{}), err: errPanicked}
	if f.flying == nil {
		f.flying = map[blockKey]*flight{}
	}
	f.flying[key] = own
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.flying, key)
		f.mu.Unlock()
		close(own.done)
	}()
	own.data, own.err = fetch()
	return own.data, own.err
}

// has reports whether a block is being fetched.
func (f *flights) has(key blockKey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.flying[key]
	return ok
}
