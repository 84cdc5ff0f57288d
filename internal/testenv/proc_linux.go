package testenv

import "syscall"

// sysProcAttr puts a server in a process group of its own, which the kernel
// kills when the test process dies.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
