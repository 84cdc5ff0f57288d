//go:build !unix

package localfs

import (
	"io/fs"
	"strconv"
)

// version names the content of a file as far as its directory entry tells.
func version(info fs.FileInfo) string {
	return strconv.FormatInt(info.Size(), 36) + "-" + strconv.FormatInt(info.ModTime().UnixNano(), 36)
}
