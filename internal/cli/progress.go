package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/leat-dev/leat/bulk"
)

const (
	// redrawEvery is ten times a second: more is not seen, and terminals are
	// slow.
	redrawEvery = 100 * time.Millisecond
	// drawAfter keeps short commands free of flicker.
	drawAfter = 400 * time.Millisecond
	// logEvery is for standard error that is kept, not watched.
	logEvery = 30 * time.Second
)

// startProgress shows how far a run is until the function it returns is called,
// which waits for the display to be gone: as a bar on a terminal, else as a
// line now and then.
func (a *App) startProgress(done string, snap func() bulk.Snapshot) (end func()) {
	switch {
	case a.quiet || a.progress == "never":
		return func() {}
	case a.progress == "always" || a.ErrTerm:
		return a.startBar(done, snap)
	}
	return a.startLines(done, snap, logEvery)
}

// every calls fn at an interval until the function it returns is called,
// which waits for the last call.
func every(d time.Duration, fn func()) (end func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() { // owner: the caller, who ends it by calling end
		defer close(ended)
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				fn()
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

func (a *App) startLines(done string, snap func() bulk.Snapshot, d time.Duration) (end func()) {
	start := time.Now()
	return every(d, func() { a.say(progressLine(done, snap(), time.Since(start))) })
}

// startBar draws a bar, once the run has taken a while. What is written to
// standard error from then on appears above it, with the next redraw.
func (a *App) startBar(done string, snap func() bulk.Snapshot) (end func()) {
	start := time.Now()
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() { // owner: the caller, who ends it by calling end
		defer close(ended)
		select {
		case <-time.After(drawAfter):
			a.drawBar(quit, snap, func() string { return progressLine(done, snap(), time.Since(start)) })
		case <-quit:
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

// drawBar draws a bar with a text behind it until quit is closed.
func (a *App) drawBar(quit <-chan struct{}, snap func() bulk.Snapshot, text func() string) {
	var bars *mpb.Progress
	stderr := a.redirectErr(func(old io.Writer) io.Writer {
		bars = mpb.New(mpb.WithOutput(old), mpb.WithRefreshRate(redrawEvery), mpb.WithAutoRefresh(), mpb.WithWidth(24))
		return barWriter{bars, old}
	})
	bar := bars.New(0, mpb.BarStyle().Lbound("[").Rbound("]"), mpb.BarRemoveOnComplete(),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + text() })))
	stop := every(redrawEvery, func() {
		s := snap()
		if total, now := barPosition(&s); total > 0 {
			bar.SetTotal(total, false)
			bar.SetCurrent(now)
		}
	})
	<-quit
	stop()
	bar.Abort(true)
	bars.Wait()
	a.redirectErr(func(io.Writer) io.Writer { return stderr })
}

// A barWriter writes above the bars, and directly when they are gone.
type barWriter struct {
	bars   *mpb.Progress
	stderr io.Writer
}

func (w barWriter) Write(b []byte) (int, error) {
	n, err := w.bars.Write(b)
	if errors.Is(err, mpb.ErrDone) {
		return w.stderr.Write(b)
	}
	return n, err
}

// barPosition returns how long the bar is and how much of it is filled: by
// bytes when all sizes are known, else by items; 0 while the plan is not
// complete.
func barPosition(s *bulk.Snapshot) (total, now int64) {
	switch {
	case !s.Complete:
		return 0, 0
	case s.Sized && s.ItemBytes > 0:
		return s.ItemBytes, min(s.Bytes, s.ItemBytes)
	}
	return s.Items, s.Ended()
}

// timeLeft estimates how long the rest of a run takes, by its rate so far; 0
// while that cannot be told.
func timeLeft(s *bulk.Snapshot, d time.Duration) time.Duration {
	total, now := barPosition(s)
	if now <= 0 || total <= now || d <= 0 {
		return 0
	}
	return time.Duration(float64(d) * float64(total-now) / float64(now))
}

// progressLine says how far a run is: "copied 1,234 of 10,000, 40.2 MiB of
// 1.20 GiB, 38.0 MiB/s, 1m2s, 29s left". A total that is still growing has a
// "+".
func progressLine(done string, s bulk.Snapshot, d time.Duration) string {
	plus := ""
	if !s.Complete {
		plus = "+"
	}
	parts := []string{fmt.Sprintf("%s %s of %s%s", done, count(s.Done), count(s.Items), plus)}
	if s.Bytes > 0 {
		text := size(s.Bytes)
		if s.Sized && s.ItemBytes > 0 {
			text += " of " + size(s.ItemBytes) + plus
		}
		parts = append(parts, text, size(int64(float64(s.Bytes)/max(d.Seconds(), 0.001)))+"/s")
	}
	if s.Failed > 0 {
		parts = append(parts, count(s.Failed)+" failed")
	}
	parts = append(parts, d.Round(time.Second).String())
	if left := timeLeft(&s, d); left > 0 {
		parts = append(parts, max(left, time.Second).Round(time.Second).String()+" left")
	}
	return strings.Join(parts, ", ")
}
