//go:build unix

package localfs

import (
	"io/fs"
	"strconv"
	"syscall"
)

// version names the content of a file as far as its inode tells.
func version(info fs.FileInfo) string {
	b := strconv.AppendInt(make([]byte, 0, 48), info.Size(), 36)
	b = strconv.AppendInt(append(b, '-'), info.ModTime().UnixNano(), 36)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		b = strconv.AppendUint(append(b, '-'), uint64(st.Ino), 36)
	}
	return string(b)
}
