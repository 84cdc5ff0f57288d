//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package cli

import "os"

// treeSignals make a process write its tree of tasks to standard error. Here
// there are none to send.
var treeSignals []os.Signal
