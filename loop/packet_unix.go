//go:build linux || darwin || freebsd

package loop

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/leat-dev/leat/fault"
)

// A fdPacket is a socket for datagrams.
type fdPacket struct {
	l       *Loop
	w       *Watch
	fd      int
	index   int
	network string // "udp" or "unixgram"
	local   net.Addr
	six     bool   // the socket is one of IPv6
	remove  string // the file of a unix socket
}

// takePacket returns nil if c has no descriptor that it can have.
func (l *Loop) takePacket(c net.PacketConn) (packetStream, error) {
	s := &fdPacket{l: l, network: "udp", local: c.LocalAddr()}
	switch c.(type) {
	case *net.UDPConn:
	case *net.UnixConn:
		s.network = "unixgram"
		if name := s.local.String(); name != "" && name[0] != '@' {
			s.remove = name // package net leaves it, whoever closes
		}
	default:
		return nil, nil
	}
	fd, err := takeFD(c.(syscall.Conn))
	if cerr := c.Close(); err == nil && cerr != nil {
		_ = unix.Close(fd)
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	if s.w, err = l.WatchFD(fd); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	l.closed(s.w) // the loop closes it
	if sa, err := unix.Getsockname(fd); err == nil {
		_, s.six = sa.(*unix.SockaddrInet6)
	}
	s.fd = fd
	l.conns.packets.add(s)
	return s, nil
}

func (s *fdPacket) slot() *int                 { return &s.index }
func (s *fdPacket) addr() net.Addr             { return s.local }
func (s *fdPacket) onReadable(fn func()) error { return s.w.OnReadable(fn) }
func (s *fdPacket) onWritable(fn func()) error { return s.w.OnWritable(fn) }

func (s *fdPacket) recv(p []byte) (int, net.Addr, error) {
	if s.fd < 0 {
		return 0, nil, net.ErrClosed
	}
	for {
		n, from, err := unix.Recvfrom(s.fd, p, 0)
		switch err {
		case nil:
			return n, address(s.network, from, nil), nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return 0, nil, ErrNotReady
		}
		return 0, nil, &net.OpError{Op: "read", Net: s.network, Addr: s.local, Err: os.NewSyscallError("recvfrom", err)}
	}
}

func (s *fdPacket) send(p []byte, to net.Addr) error {
	if s.fd < 0 {
		return net.ErrClosed
	}
	sa, err := s.sockaddr(to)
	if err != nil {
		return err
	}
	for {
		switch err := unix.Sendto(s.fd, p, 0, sa); err {
		case nil:
			return nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return ErrNotReady
		default:
			return &net.OpError{Op: "write", Net: s.network, Source: s.local, Addr: to, Err: os.NewSyscallError("sendto", err)}
		}
	}
}

// sockaddr converts an address for this socket: one of IPv6 wants IPv4
// addresses mapped.
func (s *fdPacket) sockaddr(to net.Addr) (unix.Sockaddr, error) {
	switch to := to.(type) {
	case *net.UDPAddr:
		if v4 := to.IP.To4(); v4 != nil && !s.six {
			return &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(v4)}, nil
		}
		v6 := to.IP.To16()
		if v6 == nil || !s.six {
			break
		}
		sa := &unix.SockaddrInet6{Port: to.Port, Addr: [16]byte(v6)}
		if to.Zone != "" {
			i, err := net.InterfaceByName(to.Zone)
			if err != nil {
				return nil, err
			}
			sa.ZoneId = uint32(i.Index)
		}
		return sa, nil
	case *net.UnixAddr:
		return &unix.SockaddrUnix{Name: to.Name}, nil
	}
	return nil, fault.New("write", fmt.Sprint(to), fault.Invalid, fmt.Errorf("no address for a socket at %v", s.local))
}

func (s *fdPacket) close() error {
	if s.fd < 0 {
		return nil
	}
	s.l.conns.packets.remove(s)
	_ = s.w.Close()
	if s.remove != "" {
		_ = os.Remove(s.remove)
	}
	err := unix.Close(s.fd)
	s.fd = -1
	return os.NewSyscallError("close", err)
}
