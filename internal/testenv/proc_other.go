//go:build !linux

package testenv

import "syscall"

// sysProcAttr puts a server in a process group of its own. Only Linux can
// tie it to the life of the test process.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
