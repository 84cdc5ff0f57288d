package work

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"unsafe"
)

// A spawner starts processes from one thread that lives as long as the
// spawner: Linux sends the death signal of a child when the thread that
// started it ends, not when the process does.
type spawner struct {
	once sync.Once
	jobs chan spawnJob
	done chan struct{}
}

type spawnJob struct {
	cmd *exec.Cmd
	err chan<- error
}

// spawn starts cmd in a process group of its own, which the kernel kills the
// leader of when this process dies.
func (r *Runner) spawn(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s := &r.spawner
	s.once.Do(func() {
		s.jobs, s.done = make(chan spawnJob), make(chan struct{})
		// owner: the runner; Close ends it.
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			defer close(s.done)
			for j := range s.jobs {
				j.err <- j.cmd.Start()
			}
		}()
	})
	err := make(chan error, 1)
	s.jobs <- spawnJob{cmd, err}
	return <-err
}

// close ends the thread. Nothing is spawned any more.
func (s *spawner) close() {
	s.once.Do(func() {})
	if s.jobs != nil {
		close(s.jobs)
		<-s.done
		s.jobs = nil
	}
}

// awaitExit waits until the process has ended and returns what reaps it.
// Until then its number belongs to it, so that its group can be signalled.
func awaitExit(cmd *exec.Cmd) (reap func() error) {
	const byPID, exited, noWait = 1, 0x4, 0x01000000 // P_PID, WEXITED, WNOWAIT
	var info [128]byte                               // siginfo_t
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPID, uintptr(cmd.Process.Pid),
			uintptr(unsafe.Pointer(&info)), exited|noWait, 0, 0)
		if errno != syscall.EINTR {
			return cmd.Wait
		}
	}
}
