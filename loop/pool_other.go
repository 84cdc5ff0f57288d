//go:build !linux

package loop

import "net"

// listenAll returns n listeners on one address, or one where that cannot be.
func listenAll(network, addr string, _ int) ([]net.Listener, error) {
	ln, err := net.Listen(network, addr)
	return []net.Listener{ln}, err
}
