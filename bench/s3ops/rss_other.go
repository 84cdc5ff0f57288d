//go:build !linux

package main

import "os"

// maxRSS is known on Linux only; elsewhere it returns 0.
func maxRSS(*os.ProcessState) int64 { return 0 }
