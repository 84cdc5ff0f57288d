//go:build !linux && !darwin && !freebsd

package loop

import (
	"errors"

	"github.com/leat-dev/leat/fault"
)

// newPoller has nothing to offer here: connections work by goroutines, and
// bare descriptors cannot be watched.
func newPoller() (poller, error) {
	err := errors.New("no way to watch descriptors on this system; use Attach or Dial, which work on connections of package net")
	return nil, fault.New("watch", "", fault.Unsupported, err)
}
