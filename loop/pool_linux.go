package loop

import (
	"context"
	"net"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// listenAll returns n listeners on one address, or one where that cannot be.
func listenAll(network, addr string, n int) ([]net.Listener, error) {
	if !strings.HasPrefix(network, "tcp") || n == 1 {
		ln, err := net.Listen(network, addr)
		return []net.Listener{ln}, err
	}
	conf := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		ctlErr := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		if ctlErr != nil {
			return ctlErr
		}
		return err
	}}
	var lns []net.Listener
	for range n {
		ln, err := conf.Listen(context.Background(), network, addr)
		if err != nil {
			for _, ln := range lns {
				_ = ln.Close()
			}
			return nil, err
		}
		lns = append(lns, ln)
		addr = ln.Addr().String()
	}
	return lns, nil
}
