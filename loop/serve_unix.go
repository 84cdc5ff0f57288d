//go:build linux || darwin || freebsd

package loop

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A fdAcceptor is a listening socket.
type fdAcceptor struct {
	l       *Loop
	w       *Watch
	fd      int
	index   int
	network string
	local   net.Addr
	remove  string // the file of a unix socket
}

// takeListener returns nil if ln has no descriptor that it can have.
func (l *Loop) takeListener(ln net.Listener) (acceptor, error) {
	a := &fdAcceptor{l: l, local: ln.Addr(), network: ln.Addr().Network()}
	switch ln := ln.(type) {
	case *net.TCPListener:
	case *net.UnixListener:
		ln.SetUnlinkOnClose(false) // the file goes with the descriptor that stays
		if name := ln.Addr().String(); name != "" && name[0] != '@' {
			a.remove = name
		}
	default:
		return nil, nil
	}
	fd, err := takeFD(ln.(syscall.Conn))
	if cerr := ln.Close(); err == nil && cerr != nil {
		_ = unix.Close(fd)
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	if a.w, err = l.WatchFD(fd); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	l.closed(a.w) // the loop closes it
	a.fd = fd
	a.tune()
	l.conns.acceptors.add(a)
	return a, nil
}

// tune sets what accepted connections inherit, to the values of package net.
// It is only for speed and tidiness: errors do not matter.
func (a *fdAcceptor) tune() {
	if a.network == "tcp" {
		_ = unix.SetsockoptInt(a.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		_ = unix.SetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	}
}

func (a *fdAcceptor) slot() *int                 { return &a.index }
func (a *fdAcceptor) addr() net.Addr             { return a.local }
func (a *fdAcceptor) onReadable(fn func()) error { return a.w.OnReadable(fn) }

func (a *fdAcceptor) accept() (Stream, error) {
	for {
		fd, err := acceptFD(a.fd)
		switch err {
		case nil:
			return a.l.newFDStream(fd, a.network)
		case unix.EAGAIN:
			return nil, ErrNotReady
		case unix.EINTR, unix.ECONNABORTED: // the peer has left the line
			continue
		}
		return nil, os.NewSyscallError("accept", err)
	}
}

func (a *fdAcceptor) close() error {
	if a.fd < 0 {
		return nil
	}
	a.l.conns.acceptors.remove(a)
	_ = a.w.Close()
	if a.remove != "" {
		_ = os.Remove(a.remove)
	}
	err := unix.Close(a.fd)
	a.fd = -1
	return os.NewSyscallError("close", err)
}
