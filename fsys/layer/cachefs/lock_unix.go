//go:build unix && !solaris && !aix

package cachefs

import (
	"os"
	"syscall"
)

// tryLock locks an open file until it is closed or the process ends. It does
// not wait. An error says that the file system knows no locks.
func tryLock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch err {
		case nil:
			return true, nil
		case syscall.EINTR:
		case syscall.EWOULDBLOCK:
			return false, nil
		default:
			return false, err
		}
	}
}
