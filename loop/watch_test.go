//go:build linux || darwin || freebsd

package loop_test

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/loop"
)

// pair returns two connected sockets in non-blocking mode.
func pair(t testing.TB) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
	}
	return fds[0], fds[1]
}

func watch(t testing.TB, l *loop.Loop, fd int) *loop.Watch {
	t.Helper()
	w, err := l.WatchFD(fd)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func run(t testing.TB, l *loop.Loop) {
	t.Helper()
	must(t, l.Run(t.Context()))
}

// A byte goes back and forth; each side writes when it has read.
func TestWatchPingPong(t *testing.T) {
	l := loop.New(nil)
	fds := [2]int{}
	fds[0], fds[1] = pair(t)
	const rounds = 1000
	n := 0
	for _, fd := range fds {
		w := watch(t, l, fd)
		must(t, w.OnReadable(func() {
			var buf [8]byte
			if got, err := unix.Read(fd, buf[:]); got != 1 || err != nil {
				t.Errorf("read %d, %v", got, err)
				l.Stop()
			}
			if n++; n == rounds {
				must(t, w.Close())
				l.Stop()
				return
			}
			_, _ = unix.Write(fd, buf[:1])
		}))
	}
	_, _ = unix.Write(fds[0], []byte{1})
	run(t, l)
	if n != rounds {
		t.Errorf("%d messages, want %d", n, rounds)
	}
}

func TestWritableUntilFull(t *testing.T) {
	l := loop.New(nil)
	a, b := pair(t)
	sent, got := 0, 0
	const total = 4 << 20
	chunk := make([]byte, 64<<10)
	w, r := watch(t, l, a), watch(t, l, b)
	must(t, w.OnWritable(func() {
		n, err := unix.Write(a, chunk[:min(len(chunk), total-sent)])
		must(t, err) // it said writable
		if sent += n; sent == total {
			must(t, w.OnWritable(nil))
			must(t, unix.Shutdown(a, unix.SHUT_WR))
		}
	}))
	must(t, r.OnReadable(func() {
		n, err := unix.Read(b, chunk)
		must(t, err)
		if got += n; n == 0 { // the end is readable too
			l.Stop()
		}
	}))
	run(t, l)
	if sent != total || got != total {
		t.Errorf("sent %d, got %d, want %d", sent, got, total)
	}
}

// A descriptor that is always ready gets one callback a look, and so does
// every other; posts and timers get their turns in between.
func TestAlwaysReadyIsFair(t *testing.T) {
	l := loop.New(nil)
	counts := make([]int, 3)
	for i := range counts {
		a, b := pair(t)
		_, _ = unix.Write(b, []byte("never read"))
		must(t, watch(t, l, a).OnReadable(func() { counts[i]++ }))
	}
	normal, idle := 0, 0
	var step, spare func()
	step = func() {
		if normal++; normal < 200 {
			l.Post(loop.Normal, step)
		}
	}
	spare = func() {
		if idle++; idle == 20 {
			l.Stop()
		}
		l.Post(loop.Idle, spare)
	}
	l.Post(loop.Normal, step)
	l.Post(loop.Idle, spare)
	run(t, l)
	if normal != 200 {
		t.Errorf("normal callbacks starved: %d of 200 ran", normal)
	}
	if lo, hi := slices.Min(counts), slices.Max(counts); lo == 0 || hi > lo+lo/4 {
		t.Errorf("callbacks of equally ready descriptors: %v", counts)
	}
}

// Between two idle callbacks the loop looks at its descriptors.
func TestDescriptorGoesBeforeTheNextIdle(t *testing.T) {
	l := loop.New(nil)
	a, b := pair(t)
	var got []string
	must(t, watch(t, l, a).OnReadable(func() {
		var buf [8]byte
		_, _ = unix.Read(a, buf[:])
		got = append(got, "io")
	}))
	for i := range 3 {
		l.Post(loop.Idle, func() {
			got = append(got, "idle")
			_, _ = unix.Write(b, []byte{1})
			if i == 2 {
				l.Post(loop.Idle, l.Stop)
			}
		})
	}
	run(t, l)
	if want := []string{"idle", "io", "idle", "io", "idle", "io"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestShouldYieldSeesDescriptorsAndTimers(t *testing.T) {
	for _, what := range []string{"descriptor", "timer"} {
		l := loop.New(nil)
		a, b := pair(t)
		must(t, watch(t, l, a).OnReadable(l.Stop))
		l.Post(loop.Idle, func() {
			if l.ShouldYield() {
				t.Errorf("%s: ShouldYield with nothing to do", what)
			}
			if what == "timer" {
				l.After(time.Millisecond, loop.Normal, l.Stop)
			} else {
				_, _ = unix.Write(b, []byte{1})
			}
			for !l.ShouldYield() { // computing
			}
		})
		run(t, l)
	}
}

// Posts wake a loop that sleeps on descriptors, each of them.
func TestPostWakesPoller(t *testing.T) {
	a, _ := pair(t) // closed after the loop has ended
	l := start(t, nil)
	must(t, l.Call(t.Context(), loop.Normal, func() {
		must(t, watch(t, l, a).OnReadable(func() { t.Error("readable") }))
	}))
	back := make(chan int)
	for i := range 5000 {
		l.Post(loop.Normal, func() { back <- i })
		if <-back != i {
			t.Fatal("out of order")
		}
	}
	timer := make(chan struct{})
	l.After(time.Millisecond, loop.Normal, func() { close(timer) })
	<-timer
}

// A descriptor in trouble that nobody asks about does not keep the loop busy.
func TestHangUpUnwatched(t *testing.T) {
	l := loop.New(nil)
	a, b := pair(t)
	w := watch(t, l, a)
	keep, _ := pair(t)
	must(t, watch(t, l, keep).OnReadable(func() { t.Error("readable") }))
	n := 0
	must(t, w.OnReadable(func() {
		n++
		must(t, w.OnReadable(nil))
	}))
	must(t, unix.Shutdown(b, unix.SHUT_RDWR))
	l.After(10*time.Millisecond, loop.Normal, l.Stop)
	run(t, l)
	if s := l.Stats(); n != 1 || s.Run != 2 {
		t.Errorf("%d callbacks, %+v", n, s)
	}
}

func TestWatchErrors(t *testing.T) {
	l := loop.New(nil)
	a, b := pair(t)
	w := watch(t, l, a)
	if _, err := l.WatchFD(a); !errors.Is(err, os.ErrExist) {
		t.Errorf("watched twice: %v", err)
	}
	if _, err := l.WatchFD(-1); fault.KindOf(err) != fault.Invalid {
		t.Errorf("descriptor -1: %v", err)
	}
	must(t, w.OnReadable(func() { t.Error("a callback of a closed watch ran") }))
	_, _ = unix.Write(b, []byte{1})
	l.Post(loop.Control, func() {
		must(t, w.Close())
		must(t, w.Close())
		if err := w.OnWritable(func() {}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a closed watch: %v", err)
		}
		again := watch(t, l, a)
		must(t, again.OnWritable(func() { must(t, again.Close()); l.Stop() }))
	})
	run(t, l)
}

// A descriptor that was closed too early is an error, and forgotten.
func TestWatchClosedDescriptor(t *testing.T) {
	l := loop.New(&loop.Options{Finite: true})
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	defer unix.Close(fds[1])
	w := watch(t, l, fds[0])
	must(t, w.OnReadable(func() { t.Error("readable") }))
	must(t, unix.Close(fds[0]))
	if err := w.Close(); !errors.Is(err, unix.EBADF) {
		t.Errorf("Close = %v", err)
	}
	run(t, l) // ends, as nothing is watched
}

func TestWatchConn(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	l := loop.New(nil)
	watched, err := l.Watch(r)
	must(t, err)
	var text []byte
	must(t, watched.OnReadable(func() {
		raw, err := r.SyscallConn()
		must(t, err)
		var buf [100]byte
		n := 0
		must(t, raw.Read(func(fd uintptr) bool {
			n, err = syscall.Read(int(fd), buf[:])
			return true
		}))
		must(t, err)
		if text = append(text, buf[:n]...); n == 0 {
			must(t, watched.Close())
			l.Stop()
		}
	}))
	_, err = io.WriteString(w, "hello")
	must(t, err)
	must(t, w.Close())
	run(t, l)
	if string(text) != "hello" {
		t.Errorf("read %q", text)
	}
}

func TestWrongGoroutine(t *testing.T) {
	var book logbook
	a, _ := pair(t)
	l := loop.New(&loop.Options{Debug: true, Log: book.logger()})
	var w *loop.Watch
	l.Post(loop.Normal, func() { w = watch(t, l, a) })
	l.Post(loop.Normal, func() {
		said := make(chan any)
		go func() { // ends at once
			defer func() { said <- recover() }()
			_ = w.OnReadable(func() {})
		}()
		if s, ok := (<-said).(string); !ok || !strings.Contains(s, "use Post or Call") {
			t.Errorf("panic %q", s)
		}
		l.Stop()
	})
	run(t, l)
	if !strings.Contains(book.String(), "made=watch_test.go:") {
		t.Errorf("the open watch is not reported:\n%s", book.String())
	}
}

// BenchmarkRoundTripWatching is BenchmarkRoundTripParked with a descriptor.
func BenchmarkRoundTripWatching(b *testing.B) {
	fd, _ := pair(b)
	l, back := benchLoop(b), make(chan struct{})
	must(b, l.Call(b.Context(), loop.Normal, func() { must(b, watch(b, l, fd).OnReadable(func() {})) }))
	reply := func() { back <- struct{}{} }
	for b.Loop() {
		l.Post(loop.Normal, reply)
		<-back
	}
}

func BenchmarkShouldYield(b *testing.B) {
	fd, _ := pair(b)
	l := benchLoop(b)
	must(b, l.Call(b.Context(), loop.Normal, func() {
		must(b, watch(b, l, fd).OnReadable(func() {}))
		for b.Loop() {
			if l.ShouldYield() {
				b.Error("something is ready")
			}
		}
	}))
}
