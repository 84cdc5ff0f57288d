//go:build unix

package cachefs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/layer/cachefs"
)

// The tests of this file run this program again, as children that share a
// directory. All processes have the same store: versions of a memory store
// are the same when it was filled the same way.

const (
	childDir  = "LEAT_TEST_CACHE_DIR"  // set in a child: the directory
	childMode = "LEAT_TEST_CACHE_MODE" // "whole" or "blocks"
	childKill = "LEAT_TEST_CACHE_KILL" // the step at which it kills itself, 0 for none
	objects   = 12
)

func objectName(i int) string    { return fmt.Sprint("object-", i) }
func objectContent(i int) []byte { return content(3*block+i*1000, byte(i)) }

// shared returns a cache in dir over a store with the objects.
func shared(ctx context.Context, dir, mode string, diskBytes int64) (*fsys.FS, *cachefs.Stats, error) {
	mem := memfs.New()
	for i := range objects {
		if _, err := fsys.New(mem, "").WriteFile(ctx, objectName(i), objectContent(i)); err != nil {
			return nil, nil, err
		}
	}
	o := cachefs.Options{Dir: dir, Store: "mem://t", BlockBytes: block, MemoryBytes: -1, DiskBytes: diskBytes, Stats: &cachefs.Stats{}}
	if mode == "whole" {
		o.WholeBytes = 1 << 30
	}
	drv, err := cachefs.New(mem, &o)
	if err != nil {
		return nil, nil, err
	}
	return fsys.New(drv, "cache::mem://t"), o.Stats, nil
}

// readObjects reads all objects from the first on.
func readObjects(ctx context.Context, f *fsys.FS, first int) error {
	for i := range objects {
		i = (first + i) % objects
		if got, err := f.ReadFile(ctx, objectName(i)); err != nil || !bytes.Equal(got, objectContent(i)) {
			return fmt.Errorf("object %d: %d bytes, %w; %s", i, len(got), err, firstDifference(got, objectContent(i)))
		}
	}
	return nil
}

// child is what a child does instead of tests.
func child() bool {
	dir := os.Getenv(childDir)
	if dir == "" {
		return false
	}
	var steps atomic.Int64
	kill, _ := strconv.ParseInt(os.Getenv(childKill), 10, 64)
	cachefs.SetStep(func(string) error {
		if steps.Add(1) == kill {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
		return nil
	})
	diskBytes := int64(1 << 30)
	if kill > 0 {
		diskBytes = 150_000 // so that it also evicts
	}
	f, stats, err := shared(context.Background(), dir, os.Getenv(childMode), diskBytes)
	if err == nil {
		_, _ = io.ReadAll(os.Stdin) // all begin when the parent says so
		err = readObjects(context.Background(), f, rand.IntN(objects))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(stats.Requests.Load())
	return true
}

// start runs a child, which begins when the function that it returns is
// called; that returns what the child printed.
func start(t *testing.T, dir, mode string, kill int) (run func() (string, error)) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childMode+"="+mode, childKill+"="+strconv.Itoa(kill))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() (string, error) {
		in.Close()
		err := cmd.Wait()
		return strings.TrimSpace(out.String()), err
	}
}

// killed reports whether a child killed itself.
func killed(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

// Whatever a process was doing to the disk when it was killed, the next one
// reads right, and cleans up.
func TestKilledAtEveryStep(t *testing.T) {
	for _, mode := range []string{"whole", "blocks"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			for step, every := 1, 1; ; step += every {
				out, err := start(t, dir, mode, step)()
				if err == nil {
					if step < 15 {
						t.Errorf("only %d steps", step)
					}
					break
				}
				if !killed(err) {
					t.Fatalf("killed at step %d: %v: %s", step, err, out)
				}
				if err := os.Remove(filepath.Join(dir, "clean")); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				f, stats, err := shared(t.Context(), dir, mode, 150_000)
				if err != nil {
					t.Fatal(err)
				}
				if err := readObjects(t.Context(), f, step); err != nil {
					t.Errorf("after a kill at step %d: %v", step, err)
				}
				if n := stats.DiskErrors.Load(); n > 0 {
					t.Errorf("after a kill at step %d: %d disk errors", step, n)
				}
				if left := files(t, filepath.Join(dir, "tmp")); len(left) > 0 {
					t.Errorf("after a kill at step %d: %q is left", step, left)
				}
				if step%4 == 0 { // the next ones find nothing, or files to replace
					if err := os.RemoveAll(filepath.Join(dir, "data")); err != nil {
						t.Fatal(err)
					}
				}
				if step > 12 {
					every = 5
				}
			}
		})
	}
}

// Processes that share a directory all read right, and fetch each whole
// object once between them.
func TestProcessesShare(t *testing.T) {
	for _, mode := range []string{"whole", "blocks"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			var runs []func() (string, error)
			for range 4 {
				runs = append(runs, start(t, dir, mode, 0))
			}
			total := 0
			for _, out := range together(runs) {
				n, err := strconv.Atoi(out.text)
				if out.err != nil || err != nil {
					t.Fatalf("%v: %s", out.err, out.text)
				}
				total += n
			}
			if mode == "whole" && total != objects {
				t.Errorf("%d objects fetched, want each of the %d once", total, objects)
			}
		})
	}
}

// One that is killed takes none of the others with it.
func TestProcessesSurviveAnother(t *testing.T) {
	for _, mode := range []string{"whole", "blocks"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			var runs []func() (string, error)
			for i := range 4 {
				runs = append(runs, start(t, dir, mode, []int{0, 4, 11, 0}[i]))
			}
			for i, out := range together(runs) {
				if out.err != nil && !killed(out.err) {
					t.Errorf("process %d: %v: %s", i, out.err, out.text)
				}
			}
			f, _, err := shared(t.Context(), dir, mode, 1<<30)
			if err == nil {
				err = readObjects(t.Context(), f, 0)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

type outcome struct {
	text string
	err  error
}

// together lets all children run at once.
func together(runs []func() (string, error)) []outcome {
	all := make([]outcome, len(runs))
	done := make(chan int)
	for i, run := range runs {
		go func() { // owner: this function, which takes its answer
			all[i].text, all[i].err = run()
			done <- i
		}()
	}
	for range runs {
		<-done
	}
	return all
}
