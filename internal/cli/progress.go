package cli

import (
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

// startProgress shows how far p is until the function it returns is called,
// which waits for the display to be gone: as a bar on a terminal, else as a
// line now and then.
func (a *App) startProgress(done string, p *bulk.Progress) (end func()) {
	switch {
	case a.quiet || a.progress == "never":
		return func() {}
	case a.progress == "always" || a.ErrTerm:
		return a.startBar(done, p)
	}
	return a.startLines(done, p, logEvery)
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

func (a *App) startLines(done string, p *bulk.Progress, d time.Duration) (end func()) {
	start := time.Now()
	return every(d, func() { a.say(progressLine(done, p.Snapshot(), time.Since(start))) })
}

// startBar draws a bar. What is written to standard error meanwhile appears
// above it.
func (a *App) startBar(done string, p *bulk.Progress) (end func()) {
	start := time.Now()
	delay := make(chan struct{})
	timer := time.AfterFunc(drawAfter, func() { close(delay) })
	stderr := a.redirectErr(io.Discard)
	bars := mpb.New(mpb.WithOutput(stderr), mpb.WithRefreshRate(redrawEvery), mpb.WithAutoRefresh(),
		mpb.WithRenderDelay(delay), mpb.WithWidth(24))
	bar := bars.New(0, mpb.BarStyle().Lbound("[").Rbound("]"), mpb.BarRemoveOnComplete(),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			return " " + progressLine(done, p.Snapshot(), time.Since(start))
		})))
	a.redirectErr(barWriter{bars, delay, stderr})
	stop := every(redrawEvery, func() {
		s := p.Snapshot()
		if total, now := barPosition(&s); total > 0 {
			bar.SetTotal(total, false)
			bar.SetCurrent(now)
		}
	})
	return func() {
		stop()
		if timer.Stop() {
			close(delay)
		}
		bar.Abort(true)
		bars.Wait()
		a.redirectErr(stderr)
	}
}

// A barWriter writes above the bars once they are drawn, and directly before
// that.
type barWriter struct {
	bars   *mpb.Progress
	drawn  <-chan struct{}
	stderr io.Writer
}

func (w barWriter) Write(b []byte) (int, error) {
	select {
	case <-w.drawn:
		return w.bars.Write(b)
	default:
		return w.stderr.Write(b)
	}
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

// progressLine says how far a run is: "copied 1,234 of 10,000 objects, 40.2
// MiB of 1.20 GiB, 38.0 MiB/s, 1m2s". A total that is still growing has a
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
	return strings.Join(append(parts, d.Round(time.Second).String()), ", ")
}
