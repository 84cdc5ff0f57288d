package loop

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawSize bounds what is read and written without telling the scheduler. The
// sockets do not block, so the scheduler need not look for another thread; but
// to copy much takes time.
const rawSize = 16 << 10

// readFD is unix.Read for a descriptor that does not block, some 5 % of an
// echo cheaper.
func readFD(fd int, p []byte) (int, error) {
	if len(p) == 0 {
		return unix.Read(fd, p)
	}
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// writeFD is unix.Write for a descriptor that does not block.
func writeFD(fd int, p []byte) (int, error) {
	if len(p) == 0 || len(p) > rawSize {
		return unix.Write(fd, p)
	}
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// pollNow is unix.EpollWait with a timeout of zero.
func pollNow(fd int, events []unix.EpollEvent) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(fd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
