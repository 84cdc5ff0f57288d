package localfs

import (
	"errors"
	"os"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

// A file without a name disappears with the process, however that ends. It
// needs a disk that supports them and /proc, through which it gets its name.
const (
	openTmpfile   = 0o20000000 | syscall.O_DIRECTORY // O_TMPFILE
	atFdcwd       = -100                             // AT_FDCWD
	symlinkFollow = 0x400                            // AT_SYMLINK_FOLLOW
)

var hasProc = sync.OnceValue(func() bool {
	_, err := os.Stat("/proc/self/fd")
	return err == nil
})

// openUnnamed opens a new file in dir that has no name, or fails with
// errors.ErrUnsupported.
func openUnnamed(dir string) (*os.File, error) {
	if !hasProc() {
		return nil, errors.ErrUnsupported
	}
	file, err := os.OpenFile(dir, os.O_RDWR|openTmpfile, 0o666)
	switch {
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.EOPNOTSUPP):
		return nil, errors.ErrUnsupported // the kernel or the disk knows none
	}
	return file, err
}

// unnamedPath names an open file without a name.
func unnamedPath(file *os.File) string {
	return "/proc/self/fd/" + strconv.Itoa(int(file.Fd()))
}

// linkUnnamed gives the file a name, which must be free.
func linkUnnamed(file *os.File, name string) error {
	from, err := syscall.BytePtrFromString(unnamedPath(file))
	if err != nil {
		return err
	}
	to, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	cwd := atFdcwd
	_, _, errno := syscall.Syscall6(syscall.SYS_LINKAT, uintptr(cwd), uintptr(unsafe.Pointer(from)),
		uintptr(cwd), uintptr(unsafe.Pointer(to)), symlinkFollow, 0)
	if errno != 0 {
		return &os.LinkError{Op: "link", Old: "", New: name, Err: errno}
	}
	return nil
}
