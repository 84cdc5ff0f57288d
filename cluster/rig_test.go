package cluster

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend"
	"github.com/leat-dev/leat/sched"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 takes the time")

func seed(t *testing.T) uint64 {
	s := *seedFlag
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", s)
	return s
}

// objects stores n objects of i%10+1 lines and returns their mux and pattern.
func objects(t *testing.T, n int) (*fsys.Mux, string) {
	t.Helper()
	mux := backend.Mux(nil)
	t.Cleanup(func() { mux.Close() })
	root := "mem://" + strings.ReplaceAll(t.Name(), "/", "-")
	fs, _, err := mux.Resolve(t.Context(), root+"/x")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := fs.WriteFile(t.Context(), fmt.Sprintf("o%06d", i), bytes.Repeat([]byte("x\n"), i%10+1)); err != nil {
			t.Fatal(err)
		}
	}
	return mux, root + "/*"
}

// newRig returns a cluster of nothing on a network that loses messages.
func newRig(t *testing.T, mux *fsys.Mux, drop float64) *rig {
	r := &rig{
		t: t, net: newNetwork(seed(t), drop),
		st: &store{log: newMemLog(), el: &memElector{}, reg: memRegistry{}},
		opt: SchedulerOptions{
			Mux: mux, DeadAfter: time.Second, ClientDeadAfter: 20 * time.Second, timing: fastTiming,
			Machine: &sched.Options{MaxLease: 64, ListAhead: 256},
		},
	}
	t.Cleanup(func() {
		for _, s := range r.schedulers {
			s.Close()
		}
	})
	return r
}

// take takes the results of a job, checks that each input came once and is
// right, and calls at after each.
func take(t *testing.T, j *Job, n int, at func(seen int)) Summary {
	t.Helper()
	seen := map[uint64]bool{}
	for r, err := range j.Results() {
		if err != nil {
			t.Fatal(err)
		}
		if seen[r.Index] {
			t.Errorf("input %d came twice", r.Index)
		}
		seen[r.Index] = true
		if want := strconv.Itoa(int(r.Index)%10 + 1); r.Problem != nil || strings.TrimSpace(string(r.Value)) != want {
			t.Errorf("input %d: %q, %+v; want %s", r.Index, r.Value, r.Problem, want)
		}
		if at != nil {
			at(len(seen))
		}
	}
	s, err := j.Wait(t.Context())
	if err != nil || s.OK != uint64(n) || len(seen) != n {
		t.Fatalf("summary %+v, %d results, error %v; want %d", s, len(seen), err, n)
	}
	return s
}

func sumOf(n int) int {
	sum := 0
	for i := range n {
		sum += i%10 + 1
	}
	return sum
}

func reduceTo(t *testing.T, j *Job, want int) Summary {
	t.Helper()
	s, err := j.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Result.Close()
	got, err := io.ReadAll(s.Result)
	if err != nil || strings.TrimSpace(string(got)) != strconv.Itoa(want) {
		t.Fatalf("result %q, %v; want %d", got, err, want)
	}
	return s
}

// slowCalls counts calls of the function "test-slow-lines".
type slowCalls struct {
	mu    sync.Mutex
	n     int
	waits map[int]chan struct{}
}

var slow = slowCalls{waits: map[int]chan struct{}{}}

// after returns a channel that is closed when n more calls were made.
func (c *slowCalls) after(n int) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan struct{})
	c.waits[c.n+n] = ch
	return ch
}

func (c *slowCalls) call() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if ch := c.waits[c.n]; ch != nil {
		close(ch)
		delete(c.waits, c.n)
	}
}

func init() {
	work.Register("test-slow-lines", func(ctx context.Context, in *work.Input) ([]byte, error) {
		data, err := in.Bytes(ctx)
		if err != nil {
			return nil, err
		}
		select { // long enough that leases are under way at any time
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Millisecond):
		}
		slow.call()
		return strconv.AppendInt(nil, int64(bytes.Count(data, []byte("\n"))), 10), nil
	})
}

// heard is a log handler that tells when something was said.
type heard struct {
	mu    sync.Mutex
	waits []*heardWait
}

type heardWait struct {
	text string
	left int
	done chan struct{}
}

// after returns a channel that is closed when text was logged n more times.
func (h *heard) after(text string, n int) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &heardWait{text, n, make(chan struct{})}
	h.waits = append(h.waits, w)
	return w.done
}

func (h *heard) Enabled(context.Context, slog.Level) bool { return true }
func (h *heard) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *heard) WithGroup(string) slog.Handler            { return h }
func (h *heard) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.waits {
		if w.text == r.Message {
			if w.left--; w.left == 0 {
				close(w.done)
			}
		}
	}
	return nil
}
