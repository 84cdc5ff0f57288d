//go:build unix

package work

import (
	"os/exec"
	"syscall"
)

// termGroup asks the process group of cmd to end. The leader has not been
// reaped, so its number still means the group.
func termGroup(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

// killGroup ends what is left of the process group of cmd.
func killGroup(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
