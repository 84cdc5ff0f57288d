//go:build linux

package work_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

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
		{"ends soon", "(read x <&3; echo late) & echo early", fault.None, "early\nlate\n"},
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

func TestPdeathsig(t *testing.T) {
	b := newBench(t, work.Options{})
	u := b.put("k", "x")
	// A thread that ends must not take commands along: many leases from
	// goroutines that end with their threads.
	done := make(chan *sched.Done)
	for range 4 {
		go func() {
			runtime.LockOSThread() // and never unlock: the thread ends
			b.Run(context.Background(), b.lease(work.Spec{Command: []string{"sh", "-c", "cat; exec cat /dev/null"}}, u...),
				func(d *sched.Done) { done <- d })
		}()
	}
	for range 4 {
		if d := <-done; len(d.Failed) > 0 {
			t.Errorf("%+v", d.Failed[0].Problem)
		}
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
