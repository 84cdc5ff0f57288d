package main

import (
	"os"
	"syscall"
)

// maxRSS returns the most memory that an ended process had resident, in MiB.
func maxRSS(ps *os.ProcessState) int64 {
	if u, ok := ps.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss >> 10
	}
	return 0
}
