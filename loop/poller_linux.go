package loop

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An epoll is the poller of Linux. Its descriptor is itself registered with
// the poller of the Go runtime: to sleep is to wait like any goroutine for
// that descriptor, and no thread is blocked. A deadline in the past wakes
// the goroutine without a system call.
type epoll struct {
	fd     int
	file   *os.File
	raw    syscall.RawConn
	events [maxEvents]unix.EpollEvent
	n      int
	err    error
	try    func(uintptr) bool
}

func newPoller() (poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p := &epoll{fd: fd}
	// Only a descriptor in non-blocking mode is registered by os.NewFile.
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p.file = os.NewFile(uintptr(fd), "epoll")
	if err := p.file.SetReadDeadline(time.Time{}); err != nil {
		_ = p.file.Close()
		return nil, err
	}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil, err
	}
	p.try = func(uintptr) bool {
		p.n, p.err = p.wait()
		return p.n > 0 || p.err != nil
	}
	return p, nil
}

func (p *epoll) wait() (int, error) {
	n, err := pollNow(p.fd, p.events[:])
	if err == unix.EINTR {
		return 0, nil
	}
	return max(n, 0), os.NewSyscallError("epoll_wait", err)
}

func (p *epoll) control(fd int, have, want mask) error {
	op := unix.EPOLL_CTL_MOD
	switch {
	case have == want:
		return nil
	case want == 0:
		op = unix.EPOLL_CTL_DEL
	case have == 0:
		op = unix.EPOLL_CTL_ADD
	}
	ev := unix.EpollEvent{Fd: int32(fd)}
	if want&readable != 0 {
		ev.Events |= unix.EPOLLIN | unix.EPOLLRDHUP
	}
	if want&writable != 0 {
		ev.Events |= unix.EPOLLOUT
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, op, fd, &ev))
}

func (p *epoll) look(found func(int, mask)) error {
	n, err := p.wait()
	p.report(n, found)
	return err
}

func (p *epoll) sleep(found func(int, mask)) error {
	p.n, p.err = 0, nil
	switch err := p.raw.Read(p.try); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return p.file.SetReadDeadline(time.Time{})
	case err != nil:
		return err
	}
	p.report(p.n, found)
	return p.err
}

// report tells of trouble as readiness for all: who tries then sees it.
func (p *epoll) report(n int, found func(int, mask)) {
	for i := range p.events[:n] {
		ev, is := &p.events[i], mask(0)
		if ev.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			is |= readable
		}
		if ev.Events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			is |= writable
		}
		found(int(ev.Fd), is)
	}
}

func (p *epoll) wake() { _ = p.file.SetReadDeadline(longAgo) }

func (p *epoll) close() error { return p.file.Close() }
