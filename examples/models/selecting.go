//go:build unix

package models

import (
	"os"

	"golang.org/x/sys/unix"
)

// Selecting is the first way out: the socket does not block but says EAGAIN,
// and the program asks with select, or poll, when it is to go on. It does
// what it should: it computes only while there is no room. But the one loop
// knows all things that the program does; each more is woven into it by hand.
func Selecting(fd int, data []byte, compute func() bool) error {
	more := true
	for len(data) > 0 || more {
		if len(data) > 0 {
			n, err := unix.Write(fd, data)
			switch err {
			case nil:
				data = data[n:]
				continue
			case unix.EINTR:
				continue
			case unix.EAGAIN: // no room: compute
			default:
				return os.NewSyscallError("write", err)
			}
		}
		if more {
			more = compute()
			continue
		}
		// Nothing to do but wait.
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
	}
	return nil
}
