package cli

import (
	"os"
	"syscall"
)

// treeSignals make a process write its tree of tasks to standard error.
var treeSignals = []os.Signal{syscall.SIGUSR1}
