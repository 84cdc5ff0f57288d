//go:build !linux

package work

import "os/exec"

// A spawner is not needed where there is no death signal.
type spawner struct{}

func (s *spawner) close() {}

// spawn starts cmd in a process group of its own.
func (r *Runner) spawn(cmd *exec.Cmd) error {
	ownGroup(cmd)
	return cmd.Start()
}

// awaitExit waits until the process has ended.
func awaitExit(cmd *exec.Cmd) (reap func() error) {
	err := cmd.Wait()
	return func() error { return err }
}
