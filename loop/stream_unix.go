//go:build linux || darwin || freebsd

package loop

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A fdStream is a connected socket.
type fdStream struct {
	w       *Watch
	l       *Loop
	fd      int
	index   int
	network string
	closed  bool
}

// takeOver returns nil if c is not a connection whose descriptor it can have.
func (l *Loop) takeOver(c net.Conn) (Stream, error) {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil, nil
	}
	fd, err := takeFD(c.(syscall.Conn))
	network := c.LocalAddr().Network()
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	return l.newFDStream(fd, network)
}

// takeFD returns a descriptor of its own for what c stands for.
func takeFD(c syscall.Conn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var fd int
	ctlErr := raw.Control(func(old uintptr) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) // shares O_NONBLOCK, which package net has set
		err = os.NewSyscallError("fcntl", err)
	})
	if ctlErr != nil {
		return 0, ctlErr
	}
	return fd, err
}

// newFDStream owns fd, also on an error.
func (l *Loop) newFDStream(fd int, network string) (Stream, error) {
	w, err := l.WatchFD(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	l.closed(w) // the loop closes it
	s := &fdStream{w: w, l: l, fd: fd, network: network}
	l.conns.streams.add(s)
	return s, nil
}

func (s *fdStream) slot() *int { return &s.index }

func (s *fdStream) Read(p []byte) (int, error) {
	if s.closed {
		return 0, s.fail("read", net.ErrClosed)
	}
	for {
		n, err := readFD(s.fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, ErrNotReady
		case err != nil:
			return 0, s.fail("read", os.NewSyscallError("read", err))
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (s *fdStream) Write(p []byte) (int, error) {
	if s.closed {
		return 0, s.fail("write", net.ErrClosed)
	}
	for {
		n, err := writeFD(s.fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, ErrNotReady
		case err != nil:
			return 0, s.fail("write", os.NewSyscallError("write", err))
		}
		return n, nil
	}
}

// fail dresses an error as package net does.
func (s *fdStream) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: s.network, Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
}

func (s *fdStream) OnReadable(fn func()) error { return s.w.OnReadable(fn) }
func (s *fdStream) OnWritable(fn func()) error { return s.w.OnWritable(fn) }

func (s *fdStream) CloseWrite() error {
	return os.NewSyscallError("shutdown", unix.Shutdown(s.fd, unix.SHUT_WR))
}

func (s *fdStream) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.l.conns.streams.remove(s)
	_ = s.w.Close() // closing the descriptor ends the watch in any case
	return os.NewSyscallError("close", unix.Close(s.fd))
}

func (s *fdStream) Abort() error {
	if !s.closed && s.network != "unix" {
		_ = unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	return s.Close()
}

func (s *fdStream) LocalAddr() net.Addr {
	if s.closed {
		return nil
	}
	sa, err := unix.Getsockname(s.fd)
	return address(s.network, sa, err)
}

func (s *fdStream) RemoteAddr() net.Addr {
	if s.closed {
		return nil
	}
	sa, err := unix.Getpeername(s.fd)
	return address(s.network, sa, err)
}

// address converts an address to the form of package net; nil if it has none.
func address(network string, sa unix.Sockaddr, err error) net.Addr {
	if err != nil {
		return nil
	}
	var ip net.IP
	var port int
	var zone string
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		ip, port = sa.Addr[:], sa.Port
	case *unix.SockaddrInet6:
		ip, port = sa.Addr[:], sa.Port
		if sa.ZoneId != 0 {
			if i, err := net.InterfaceByIndex(int(sa.ZoneId)); err == nil {
				zone = i.Name
			}
		}
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Net: network, Name: sa.Name}
	default:
		return nil
	}
	if network == "udp" {
		return &net.UDPAddr{IP: ip, Port: port, Zone: zone}
	}
	return &net.TCPAddr{IP: ip, Port: port, Zone: zone}
}
