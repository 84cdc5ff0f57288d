package cluster

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/loop"
	"github.com/leat-dev/leat/sched"
)

// workerSession is one life of a worker in the eyes of the scheduler.
type workerSession struct {
	w      *Worker
	link   *link
	runner *work.Runner
	ops    *holder
	loop   *loop.Loop
	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	tasks  sync.WaitGroup // leases and merges
	over   chan string    // the scheduler ended the session, for this reason

	// These belong to the loop.
	machine *sched.Worker
	running map[leaseID]context.CancelFunc
	merging map[string]context.CancelFunc // by job: all its merges
}

type leaseID struct {
	job   string
	lease uint64
}

func newWorkerSession(w *Worker) *workerSession {
	session := newSession()
	ws := &workerSession{
		w: w, link: newLink(w.bus, w.names, session, w.opts.timing, w.opts.Log), loop: loop.New(nil),
		over: make(chan string, 1), machine: sched.NewWorker(),
		running: map[leaseID]context.CancelFunc{}, merging: map[string]context.CancelFunc{},
	}
	ws.ctx, ws.cancel = context.WithCancel(context.Background())
	ws.runner = work.NewRunner(work.Options{
		Mux: w.opts.Mux, Store: w.store, Peers: w.peers, Session: session,
		NoExec: !w.opts.Exec, Slots: w.opts.Slots, Width: w.opts.Width, TempDir: w.opts.TempDir, Log: w.opts.Log,
	})
	ws.ops = &holder{
		bus: w.bus, names: w.names, origin: w.opts.Name, address: w.srv.Addr(), instance: session,
		store: w.store, peers: w.peers,
	}
	ws.link.recv = ws.receive
	ws.link.reset = ws.end
	return ws
}

// stopTimeout is how long a session waits for functions that were told to
// stop; commands are killed well before.
const stopTimeout = 10 * time.Second

// run joins, works, and returns when the scheduler ended the session or the
// worker is closed. Nothing of the session runs any more then, except
// functions that do not listen to their context.
func (ws *workerSession) run() (reason string, err error) {
	linkCtx, stopLink := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	failed := make(chan error, 1)
	parts.Go(func() { _ = ws.loop.Run(linkCtx) })
	parts.Go(func() {
		if err := ws.link.run(linkCtx); err != nil {
			failed <- err
		}
	})
	stopOps, err := ws.w.bus.Serve(ws.w.names.worker(ws.w.opts.Name), ws.ops.serve)
	if err == nil {
		err = ws.join()
	}
	if err == nil {
		select {
		case reason = <-ws.over:
		case err = <-failed:
		case <-ws.w.ctx.Done():
			ws.leave()
		}
	}
	if stopOps != nil {
		stopOps()
	}
	ws.cancel()
	if waitFor(&ws.tasks, stopTimeout) {
		ws.runner.Close()
	} else {
		ws.w.opts.Log.Error("a function does not stop; its goroutine is left behind", "worker", ws.w.opts.Name)
	}
	ws.link.end()
	stopLink()
	parts.Wait()
	return reason, err
}

// join says who this is.
func (ws *workerSession) join() error {
	o := &ws.w.opts
	host, _ := os.Hostname()
	err := ws.link.send(&sched.Input{Join: &sched.Join{
		Name: o.Name, Addr: ws.w.srv.Addr(), Slots: o.Slots, Width: o.Width,
		Funcs: work.Funcs(), Host: host, PID: os.Getpid(), Exec: o.Exec,
	}})
	if err != nil {
		return err
	}
	ws.tasks.Go(func() {
		ws.link.drain(ws.ctx)
		if ws.ctx.Err() == nil && ws.link.acked() {
			ws.w.joinOnce.Do(func() { close(ws.w.joined) })
		}
	})
	return nil
}

// leave says goodbye and waits for a moment that it was heard.
func (ws *workerSession) leave() {
	if ws.w.killed() {
		return
	}
	err := ws.link.send(&sched.Input{Lost: &sched.Lost{Session: ws.link.session, Left: true}})
	if err != nil {
		return // over already
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	ws.link.drain(ctx)
}

// receive passes a message on to the machine. All go at one priority, which
// keeps their order, and before the reports of the runner.
func (ws *workerSession) receive(m *message) {
	ws.loop.Post(loop.Control, func() {
		ws.step(sched.WorkerInput{
			Lease: m.Lease, Revoke: m.Revoke, Merge: m.Merge, Free: m.Free, JobEnd: m.JobEnd, Jobs: m.Jobs,
		})
	})
}

// step lets the machine take an input and does what it says. It runs on the
// loop.
func (ws *workerSession) step(in sched.WorkerInput) {
	for _, e := range ws.machine.Step(in) {
		switch {
		case e.Run != nil:
			ws.run1(e.Run)
		case e.RunMerge != nil:
			ws.merge(e.RunMerge)
		case e.Stop != nil:
			if stop := ws.running[leaseID{e.Stop.Job, e.Stop.Lease}]; stop != nil {
				stop()
			}
		case e.StopJob != "":
			ws.stopJob(e.StopJob)
		case len(e.Drop) > 0:
			ws.w.store.Drop(e.Drop...)
		case e.Send != nil:
			ws.send(e.Send)
		}
	}
}

// stopJob cancels all that runs of a job.
func (ws *workerSession) stopJob(job string) {
	for id, stop := range ws.running {
		if id.job == job {
			stop()
		}
	}
	if stop := ws.merging[job]; stop != nil {
		stop()
		delete(ws.merging, job)
	}
}

// send reports to the scheduler. What cannot be sent ends the session: the
// scheduler then knows that it has to be done elsewhere.
func (ws *workerSession) send(in *sched.Input) {
	if err := ws.link.send(in); err != nil && ws.ctx.Err() == nil {
		ws.w.opts.Log.Error("report", "err", err)
		ws.link.end()
		ws.end(err.Error())
	}
}

// end makes run return; only the first reason is kept.
func (ws *workerSession) end(reason string) {
	select {
	case ws.over <- reason:
	default:
	}
}

// run1 starts a lease.
func (ws *workerSession) run1(l *sched.Lease) {
	id := leaseID{l.Job, l.ID}
	ctx, cancel := context.WithCancel(ws.ctx)
	ws.running[id] = cancel
	ws.tasks.Go(func() {
		ws.runner.Run(ctx, l, ws.report)
		cancel()
		ws.loop.Post(loop.IO, func() { delete(ws.running, id) })
	})
}

// merge starts a merge. It is cancelled when its job ends.
func (ws *workerSession) merge(m *sched.Merge) {
	ctx, cancel := context.WithCancel(ws.ctx)
	before := ws.merging[m.Job]
	ws.merging[m.Job] = func() {
		cancel()
		if before != nil {
			before()
		}
	}
	ws.tasks.Go(func() {
		defer cancel()
		merged := ws.runner.RunMerge(ctx, m)
		ws.loop.Post(loop.IO, func() { ws.step(sched.WorkerInput{Merged: merged}) })
	})
}

// report takes what the runner has done. It blocks while the scheduler is
// behind.
func (ws *workerSession) report(d *sched.Done) {
	for _, part := range splitDone(d) {
		if ws.link.wait(ws.ctx) != nil {
			return
		}
		ws.loop.Post(loop.IO, func() { ws.step(sched.WorkerInput{Done: part}) })
	}
}

// doneBytes is about the most that one report carries.
const doneBytes = 1 << 20

// splitDone cuts a report that is too large for a message, into some that
// are not final and the final one. The items of a job with a reduce stay
// with their partial: they are ranges only.
func splitDone(d *sched.Done) []*sched.Done {
	total := 0
	for i := range d.Items {
		total += itemBytes(&d.Items[i])
	}
	for i := range d.Failed {
		total += failureBytes(&d.Failed[i])
	}
	if total <= doneBytes {
		return []*sched.Done{d}
	}
	var out []*sched.Done
	part := &sched.Done{Job: d.Job, Lease: d.Lease}
	size := 0
	grow := func(n int) {
		if size += n; size > doneBytes {
			out = append(out, part)
			part, size = &sched.Done{Job: d.Job, Lease: d.Lease}, n
		}
	}
	for _, f := range d.Failed {
		grow(failureBytes(&f))
		part.Failed = append(part.Failed, f)
	}
	if d.Partial != nil {
		part.Items = d.Items
	} else {
		for _, it := range d.Items {
			grow(itemBytes(&it))
			part.Items = append(part.Items, it)
		}
	}
	part.Final, part.Partial, part.FoldErr = d.Final, d.Partial, d.FoldErr
	return append(out, part)
}

func itemBytes(it *sched.Item) int { return 64 + len(it.Name) + len(it.Value) + len(it.Key) }

func failureBytes(f *sched.Failure) int {
	return 64 + len(f.Name) + len(f.Problem.Text) + len(f.Problem.Stderr)
}
