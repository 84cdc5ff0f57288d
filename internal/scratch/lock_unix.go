//go:build unix

package scratch

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks f for as long as it is open; false means that somebody else
// has it.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
