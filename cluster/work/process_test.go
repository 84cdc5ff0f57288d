//go:build linux

package work_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leat-dev/leat/cluster/peer"
	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/sched"
)

func init() {
	if pipe := os.Getenv(helperFifo); pipe != "" {
		worker(pipe)
	}
}

// fifo makes a named pipe.
func fifo(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// group reads the process group that a command wrote to the pipe as it began.
func group(t *testing.T, name string) int {
	data, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Error(err)
	}
	return n
}

// members returns the processes of a group that are not zombies.
func members(pgid int) []string {
	var list []string
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		data, _ := os.ReadFile(name)
		// pid (comm) state ppid pgrp
		rest := string(data[strings.LastIndexByte(string(data), ')')+1:])
		f := strings.Fields(rest)
		if len(f) > 2 && f[2] == fmt.Sprint(pgid) && f[0] != "Z" && f[0] != "X" {
			list = append(list, string(data))
		}
	}
	return list
}

// gone fails the test unless nothing of the group is left, at once or very
// soon: who was killed needs a moment to die.
func gone(t *testing.T, pgid int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); runtime.Gosched() {
		if len(members(pgid)) == 0 {
			return
		}
	}
	t.Errorf("still there: %q", members(pgid))
}

func TestCancelEndsTheGroup(t *testing.T) {
	for name, script := range map[string]string{
		"plain":        "sleep 60",
		"children":     "sleep 60 & sleep 60 | cat",
		"deaf":         "trap '' TERM; sleep 60 & sleep 60",
		"leader ends":  "sleep 60 & exec sleep 60 >/dev/null",
		"deaf child":   "(trap '' TERM; sleep 60) & sleep 60",
		"stopped":      "kill -STOP $$",
		"quiet":        "exec >/dev/null 2>&1; sleep 60",
		"much output":  "yes",
		"reads nobody": "cat; sleep 60",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, work.Options{})
			u := b.put("k", strings.Repeat("x", 1<<20))
			pipe := fifo(t)
			ctx, cancel := context.WithCancel(context.Background())
			pgid := make(chan int, 1)
			go func() { pgid <- group(t, pipe); cancel() }()
			r := b.run(ctx, b.lease(work.Spec{Command: []string{"sh", "-c", "echo $$ >" + pipe + ";" + script}}, u...))
			if len(r.ranges) > 0 {
				t.Errorf("a canceled lease reported %v", r.ranges)
			}
			gone(t, <-pgid)
		})
	}
}

func TestTimeoutEndsTheGroup(t *testing.T) {
	b := newBench(t, work.Options{})
	u := b.put("k", "x")
	pipe := fifo(t)
	pgid := make(chan int, 1)
	go func() { pgid <- group(t, pipe) }()
	r := b.run(t.Context(), b.lease(work.Spec{Timeout: 300 * time.Millisecond,
		Command: []string{"sh", "-c", "echo $$ >" + pipe + "; echo wait >&2; sleep 60 & sleep 60"}}, u...))
	p := r.failed[u[0]].Problem
	if p.Kind != fault.Timeout || string(p.Stderr) != "wait\n" {
		t.Errorf("problem %+v", p)
	}
	gone(t, <-pgid)
}

// TestLeftBehind has commands whose children live on.
func TestLeftBehind(t *testing.T) {
	b := newBench(t, work.Options{})
	u := b.put("k", "x")
	for _, tc := range []struct {
		name, script string
		kind         fault.Kind
		value        string
	}{
		{"keeps the output", "sleep 60 & echo early", fault.UserError, ""},
		{"keeps nothing", "sleep 60 >/dev/null 2>&1 & echo ok", fault.None, "ok\n"},
		{"ends soon", "echo early; (read x <&3; echo late) &", fault.None, "early\nlate\n"},
	} {
		pipe := fifo(t)
		pgid := make(chan int, 1)
		go func() { pgid <- group(t, pipe) }()
		r := b.run(t.Context(), b.lease(work.Spec{
			Command: []string{"sh", "-c", "exec 3<&0; echo $$ >" + pipe + ";" + tc.script}}, u...))
		f := r.failed[u[0]]
		if f.Problem.Kind != tc.kind || string(r.items[u[0]].Value) != tc.value {
			t.Errorf("%s: %q, %+v; want %q, %v", tc.name, r.items[u[0]].Value, f.Problem, tc.value, tc.kind)
		}
		gone(t, <-pgid)
	}
}

// helperFifo makes the test binary a worker that runs one command, which
// writes its process group to the named pipe.
const helperFifo = "LEAT_TEST_WORKER_FIFO"

// worker is the helper process; it does not return.
func worker(pipe string) {
	mux := fsys.NewMux(map[string]fsys.Backend{"mem": memfs.Backend()})
	store, err := peer.NewStore(nil)
	if err != nil {
		panic(err)
	}
	fsys.New(memfs.Open("x"), "").WriteFile(context.Background(), "k", []byte("x"))
	spec := work.Spec{Inputs: []string{"mem://x/k"}, Command: []string{"sh", "-c", "echo $$ >" + pipe + "; exec sleep 60"}}
	l := &sched.Lease{Job: "j", Set: sched.Set{{From: 0, N: 1}}}
	l.Spec, _ = spec.Encode()
	l.Names.Append("mem://x/k", 1)
	r := work.NewRunner(work.Options{Mux: mux, Store: store})
	r.Run(context.Background(), l, func(*sched.Done) {})
	panic("the command ended")
}

func TestKilledWorkerTakesItsCommandsAlong(t *testing.T) {
	pipe := fifo(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperFifo+"="+pipe)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pgid := group(t, pipe)
	if len(members(pgid)) == 0 {
		t.Error("no command runs")
	}
	cmd.Process.Kill()
	cmd.Wait()
	gone(t, pgid)
}

// TestThreadsThatEnd has a thread end while a command runs that its goroutine
// asked for. Linux would kill the command if that thread had started it.
func TestThreadsThatEnd(t *testing.T) {
	b := newBench(t, work.Options{})
	u := b.put("k", "x")
	begun, ending := fifo(t), fifo(t)
	done := make(chan *sched.Done, 1)
	go b.Run(context.Background(), b.lease(work.Spec{Command: []string{"sh", "-c", "echo $$ >" + begun + "; cat " + ending}}, u...),
		func(d *sched.Done) { done <- d })
	pgid := group(t, begun)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(runtime.LockOSThread) // not unlocked, so the thread ends too
	}
	wg.Wait()
	if len(members(pgid)) == 0 {
		t.Error("the command is gone")
	}
	if err := os.WriteFile(ending, []byte("end"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d := <-done; len(d.Failed) > 0 || string(d.Items[0].Value) != "end" {
		t.Errorf("%+v", d)
	}
}

func TestReduceCommandIsKilled(t *testing.T) {
	b := newBench(t, work.Options{})
	u := b.put("k", "x")
	pipe := fifo(t)
	ctx, cancel := context.WithCancel(t.Context())
	pgid := make(chan int, 1)
	go func() { pgid <- group(t, pipe); cancel() }()
	r := b.run(ctx, b.lease(work.Spec{Func: "bytes", ReduceCommand: "echo $$ >" + pipe + "; sleep 60"}, u...))
	if r.final.Partial != nil || r.final.FoldErr != nil || b.store.Stats().Values != 0 {
		t.Errorf("final report %+v", r.final)
	}
	gone(t, <-pgid)
}
