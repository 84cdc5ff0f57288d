//go:build darwin || freebsd

package loop

import "golang.org/x/sys/unix"

func readFD(fd int, p []byte) (int, error) { return unix.Read(fd, p) }

func writeFD(fd int, p []byte) (int, error) { return unix.Write(fd, p) }
