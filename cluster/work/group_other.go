//go:build !unix

package work

import "os/exec"

// Without process groups only the process itself is ended.

func ownGroup(*exec.Cmd) {}

func termGroup(cmd *exec.Cmd) { cmd.Process.Kill() }

func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() }
