package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leat-dev/leat/cluster"
	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fsys/backend"
	"github.com/leat-dev/leat/sched"
)

func init() {
	work.Register("test-name-lines", func(ctx context.Context, in *work.Input) ([]byte, error) {
		data, err := in.Bytes(ctx)
		if err != nil {
			return nil, err
		}
		select { // long enough that leases are under way at any time
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Millisecond):
		}
		return strconv.AppendInt(nil, int64(bytes.Count(data, []byte("\n"))), 10), nil
	})
}

// runHelper makes this process a worker if a test started it as one. It ends
// with its standard input, that is with the test.
func runHelper() bool {
	url := os.Getenv("LEAT_TEST_WORKER")
	if url == "" {
		return false
	}
	mux := backend.Mux(nil)
	defer mux.Close()
	w, err := cluster.Join(url, &cluster.WorkerOptions{Name: os.Getenv("LEAT_TEST_NAME"), Slots: 2, Mux: mux})
	if err == nil {
		err = w.Joined(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("joined")
	_, _ = io.Copy(io.Discard, os.Stdin)
	w.Close()
	return true
}

// process starts a worker in a process of its own.
func process(t *testing.T, url, name string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), "LEAT_TEST_WORKER="+url, "LEAT_TEST_NAME="+name)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Signal(syscall.SIGCONT)
		cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal("worker did not join: ", err)
	}
	return cmd
}

// files makes n files of i%10+1 lines and returns a pattern for them.
func files(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		if err := os.WriteFile(fmt.Sprintf("%s/f%05d", dir, i), bytes.Repeat([]byte("x\n"), i%10+1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir + "/f*"
}

// TestProcessesKilledAndStopped runs a job on three processes, kills one in
// the middle, and stops another one for longer than its session lives.
func TestProcessesKilledAndStopped(t *testing.T) {
	const n = 3000
	c := start(t, cluster.Options{Workers: -1, Listen: "127.0.0.1:0", Token: "t"})
	url := strings.Replace(c.URL(), "nats://", "nats://t@", 1)
	process(t, url, "steady")
	killed := process(t, url, "killed")
	stopped := process(t, url, "stopped")
	cl := client(t, c)
	gone := make(chan string, 100)
	for _, reduce := range []string{"", "sum"} {
		j, err := cl.Map(t.Context(), &work.Spec{Inputs: []string{files(t, n)}, Func: "test-name-lines", Reduce: reduce},
			&cluster.MapOptions{Notice: func(n sched.Notice) { gone <- n.Worker }})
		if err != nil {
			t.Fatal(err)
		}
		if reduce != "" { // the one that was stopped is back
			s, err := j.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(s.Result)
			if err != nil || strings.TrimSpace(string(got)) != strconv.Itoa(n/10*55) {
				t.Errorf("result %q, %v, want %d", got, err, n/10*55)
			}
			continue
		}
		var once sync.Once
		seen := map[uint64]bool{}
		for r, err := range j.Results() {
			if err != nil {
				t.Fatal(err)
			}
			if want := strconv.Itoa(int(r.Index)%10 + 1); seen[r.Index] || string(r.Value) != want {
				t.Errorf("input %d: %q, want %s; seen %v", r.Index, r.Value, want, seen[r.Index])
			}
			seen[r.Index] = true
			if len(seen) > n/4 {
				once.Do(func() {
					killed.Process.Kill()
					stopped.Process.Signal(syscall.SIGSTOP)
					names := map[string]bool{<-gone: true, <-gone: true}
					if !names["killed"] || !names["stopped"] {
						t.Errorf("lost workers %v", names)
					}
					stopped.Process.Signal(syscall.SIGCONT)
				})
			}
		}
		s, err := j.Wait(t.Context())
		if err != nil || s.OK != n || len(seen) != n || s.Redone == 0 {
			t.Errorf("summary %+v, %d results, %v", s, len(seen), err)
		}
	}
}

// TestRestartOnTheSameDir ends a cluster in the middle of a job and starts
// another one on its folder; workers and client stay.
func TestRestartOnTheSameDir(t *testing.T) {
	const n = 2000
	dir := t.TempDir()
	mux := newMux(t)
	opts := cluster.Options{Workers: -1, Listen: "127.0.0.1:0", Dir: dir, Sync: true, Mux: mux}
	c, err := cluster.Start(t.Context(), &opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.Close() }()
	opts.Listen = strings.TrimPrefix(c.URL(), "nats://")
	w, err := cluster.Join(c.URL(), &cluster.WorkerOptions{Slots: 2, Mux: mux})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cl, err := cluster.Dial(t.Context(), c.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	j, err := cl.Map(t.Context(), &work.Spec{Inputs: []string{files(t, n)}, Func: "test-name-lines"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for r, err := range j.Results() {
		if err != nil {
			t.Fatal(err)
		}
		if want := strconv.Itoa(int(r.Index)%10 + 1); seen[r.Index] || string(r.Value) != want {
			t.Errorf("input %d: %q, want %s; seen %v", r.Index, r.Value, want, seen[r.Index])
		}
		seen[r.Index] = true
		if len(seen) == n/3 || len(seen) == 2*n/3 {
			c.Close()
			if c, err = cluster.Start(t.Context(), &opts); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s, err := j.Wait(t.Context()); err != nil || s.OK != n || len(seen) != n {
		t.Errorf("summary %+v, %d results, %v", s, len(seen), err)
	}
}
