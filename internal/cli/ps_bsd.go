//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package cli

import (
	"os"
	"syscall"
)

// treeSignals make a process write its tree of tasks to standard error.
// SIGINFO is Ctrl-T.
var treeSignals = []os.Signal{syscall.SIGUSR1, syscall.SIGINFO}
