//go:build darwin || freebsd

package loop

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A kqueue is the poller of macOS and FreeBSD. Its descriptor cannot be put
// in non-blocking mode, so it cannot be registered with the poller of the Go
// runtime: to sleep blocks a thread, and to wake it is a system call.
type kqueue struct {
	fd     int
	events [maxEvents]unix.Kevent_t
	mu     sync.Mutex // keeps a late wake from a descriptor that is somebody else's now
	closed bool
}

// wakeIdent is the number of the user event that ends a sleep.
const wakeIdent = 1

func newPoller() (poller, error) {
	fd, err := unix.Kqueue()
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(fd)
	p := &kqueue{fd: fd}
	wake := unix.Kevent_t{Ident: wakeIdent, Filter: unix.EVFILT_USER, Flags: unix.EV_ADD | unix.EV_CLEAR}
	if _, err := unix.Kevent(fd, []unix.Kevent_t{wake}, nil, nil); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("kevent", err)
	}
	return p, nil
}

func (p *kqueue) control(fd int, have, want mask) error {
	var changes [2]unix.Kevent_t
	list := changes[:0]
	for _, f := range [...]struct {
		bit    mask
		filter int
	}{{readable, unix.EVFILT_READ}, {writable, unix.EVFILT_WRITE}} {
		if (have^want)&f.bit == 0 {
			continue
		}
		flags := unix.EV_DELETE
		if want&f.bit != 0 {
			flags = unix.EV_ADD
		}
		var ev unix.Kevent_t
		unix.SetKevent(&ev, fd, f.filter, flags)
		list = append(list, ev)
	}
	if len(list) == 0 {
		return nil
	}
	for {
		_, err := unix.Kevent(p.fd, list, nil, nil)
		if err != unix.EINTR {
			return os.NewSyscallError("kevent", err)
		}
	}
}

func (p *kqueue) look(found func(int, mask)) error { return p.wait(&unix.Timespec{}, found) }

func (p *kqueue) sleep(found func(int, mask)) error { return p.wait(nil, found) }

func (p *kqueue) wait(timeout *unix.Timespec, found func(int, mask)) error {
	n, err := unix.Kevent(p.fd, nil, p.events[:], timeout)
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("kevent", err)
	}
	for i := range p.events[:n] {
		switch ev := &p.events[i]; ev.Filter {
		case unix.EVFILT_READ:
			found(int(ev.Ident), readable)
		case unix.EVFILT_WRITE:
			found(int(ev.Ident), writable)
		}
	}
	return nil
}

func (p *kqueue) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		ev := unix.Kevent_t{Ident: wakeIdent, Filter: unix.EVFILT_USER, Fflags: unix.NOTE_TRIGGER}
		_, _ = unix.Kevent(p.fd, []unix.Kevent_t{ev}, nil, nil)
	}
}

func (p *kqueue) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return os.NewSyscallError("close", unix.Close(p.fd))
}
