//go:build darwin || freebsd

package loop

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func acceptFD(fd int) (int, error) {
	syscall.ForkLock.RLock() // no child may be forked before close-on-exec is set
	nfd, _, err := unix.Accept(fd)
	if err == nil {
		unix.CloseOnExec(nfd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, err
	}
	if err := unix.SetNonblock(nfd, true); err != nil {
		_ = unix.Close(nfd)
		return 0, err
	}
	return nfd, nil
}
