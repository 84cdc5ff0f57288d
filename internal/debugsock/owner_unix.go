//go:build linux || darwin || freebsd

package debugsock

import (
	"io/fs"
	"os"
	"syscall"
)

const supported = true

// owned reports whether the current user owns the file.
func owned(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
