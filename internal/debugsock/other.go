//go:build !linux && !darwin && !freebsd

package debugsock

import (
	"errors"
	"io/fs"
	"net"
)

const supported = false

func owned(fs.FileInfo) bool { return false }

func peer(*net.UnixConn) (int, error) { return -1, errors.ErrUnsupported }
