//go:build !linux && !darwin && !freebsd

package loop

import "net"

func (l *Loop) takeOver(net.Conn) (Stream, error) { return nil, nil }

func (l *Loop) takeListener(net.Listener) (acceptor, error) { return nil, nil }

func (l *Loop) takePacket(net.PacketConn) (packetStream, error) { return nil, nil }
