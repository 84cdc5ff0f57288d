package loop

import (
	"fmt"
	"syscall"
	"time"

	"github.com/leat-dev/leat/fault"
)

// files is what a loop knows about descriptors.
type files struct {
	poller poller   // nil until the first is watched
	table  []*Watch // by descriptor
	active int      // how many are watched for something
	queued int      // how many have their callback in line
	looked time.Duration
	cost   time.Duration // of the last look that found something
	found  func(fd int, is mask)
}

// A Watch calls back when a descriptor can be read or written. Its methods
// are for the loop's goroutine.
//
// It is level-triggered: a callback runs again and again, once for each look
// at the descriptors, while there is something to read or room to write. So
// a callback that reads once and returns cannot starve other descriptors.
type Watch struct {
	l      *Loop
	fd     int
	pri    Priority
	want   mask // what the poller watches for
	ready  mask
	queued bool
	closed bool
	read   func()
	write  func()
	fire   func() // run, made once
}

// Watch watches the descriptor of c, a connection of package net or a file
// that is in non-blocking mode. The caller keeps c open until it has closed
// the Watch, and reads and writes through [syscall.RawConn] so that it never
// blocks. A descriptor can be watched only once in a loop. Callbacks have
// priority IO unless [Watch.SetPriority] says otherwise. Call it on the
// loop's goroutine, or before Run. Where descriptors cannot be watched the
// error is of kind Unsupported.
func (l *Loop) Watch(c syscall.Conn) (*Watch, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var w *Watch
	ctlErr := raw.Control(func(fd uintptr) { w, err = l.WatchFD(int(fd)) })
	if ctlErr != nil {
		return nil, ctlErr
	}
	return w, err
}

// WatchFD is [Loop.Watch] for a bare descriptor, which must be in
// non-blocking mode.
func (l *Loop) WatchFD(fd int) (*Watch, error) {
	l.mustBeOn("WatchFD")
	if fd < 0 {
		return nil, fault.New("watch", fmt.Sprint("descriptor ", fd), fault.Invalid, syscall.EBADF)
	}
	if err := l.io.open(l); err != nil {
		return nil, err
	}
	if fd < len(l.io.table) && l.io.table[fd] != nil {
		return nil, fault.New("watch", fmt.Sprint("descriptor ", fd), fault.Exist, fmt.Errorf("already watched by this loop"))
	}
	for fd >= len(l.io.table) {
		l.io.table = append(l.io.table, nil)
	}
	w := &Watch{l: l, fd: fd, pri: IO}
	w.fire = w.run
	l.io.table[fd] = w
	l.opened(w)
	return w, nil
}

// open makes the poller if there is none.
func (io *files) open(l *Loop) error {
	if io.poller != nil {
		return nil
	}
	p, err := newPoller()
	if err != nil {
		return err
	}
	io.poller = p
	io.found = l.found
	return nil
}

// OnReadable has fn run whenever there is something to read: data, its end,
// or an error. Nil means not to look.
func (w *Watch) OnReadable(fn func()) error {
	w.read = fn
	return w.set(readable, fn != nil)
}

// OnWritable has fn run whenever there is room to write, or an error to be
// found by trying. Nil means not to look.
func (w *Watch) OnWritable(fn func()) error {
	w.write = fn
	return w.set(writable, fn != nil)
}

// SetPriority gives the callbacks another priority than IO.
func (w *Watch) SetPriority(pri Priority) {
	w.l.mustBeOn("SetPriority")
	check(pri, w.fire)
	w.pri = pri
}

// Close ends the watch; no callback of it runs after that. It does not close
// the descriptor. Further calls do nothing.
func (w *Watch) Close() error {
	w.l.mustBeOn("Watch.Close")
	if w.closed {
		return nil
	}
	w.read, w.write = nil, nil
	err := w.set(readable|writable, false)
	w.closed = true
	w.l.closed(w)
	w.l.io.table[w.fd] = nil
	return err
}

// set changes what the poller watches for.
func (w *Watch) set(bit mask, on bool) error {
	w.l.mustBeOn("Watch")
	if w.closed {
		return fault.New("watch", fmt.Sprint("descriptor ", w.fd), fault.Invalid, fmt.Errorf("the watch is closed"))
	}
	want := w.want &^ bit
	if on {
		want |= bit
	}
	if want == w.want {
		return nil
	}
	err := w.l.io.poller.control(w.fd, w.want, want)
	if err != nil && want != 0 { // else the descriptor was closed, and is not watched any more
		return err
	}
	switch {
	case w.want == 0:
		w.l.io.active++
	case want == 0:
		w.l.io.active--
	}
	w.want = want
	w.ready &= want
	return err
}

// found puts the callbacks of a descriptor in line, once however often it is
// found before they run.
func (l *Loop) found(fd int, is mask) {
	if fd >= len(l.io.table) || l.io.table[fd] == nil {
		return
	}
	w := l.io.table[fd]
	w.ready |= is & w.want
	if !w.queued && w.ready != 0 {
		w.queued = true
		l.io.queued++
		l.push(w.pri, w.fire)
	}
}

// push puts a callback in line. It is Post for the loop's own goroutine.
func (l *Loop) push(pri Priority, fn func()) {
	l.posted.Add(1)
	l.ready[pri].push(fn)
}

func (w *Watch) run() {
	is := w.ready
	w.ready, w.queued = 0, false
	w.l.io.queued--
	if is&w.want&readable != 0 {
		w.read()
	}
	if is&w.want&writable != 0 { // read may have changed what is wanted
		w.write()
	}
}

// look puts the callbacks of ready descriptors in line.
func (l *Loop) look(now time.Duration) {
	l.io.looked, l.since = now, 0
	before := l.io.queued
	if err := l.io.poller.look(l.io.found); err != nil {
		l.fail(err)
	}
	if l.io.queued > before {
		l.io.cost = l.now() - now
	}
}

func (l *Loop) sleepOnPoller() {
	err := l.io.poller.sleep(l.io.found)
	l.io.looked, l.since = l.now(), 0
	l.mu.Lock()
	l.parked = awake
	l.mu.Unlock()
	if err != nil {
		l.fail(err)
	}
}

// fail ends the loop with an error.
func (l *Loop) fail(err error) {
	l.err = err
	l.Stop()
}

func (l *Loop) closeFiles() {
	if l.io.poller != nil {
		_ = l.io.poller.close()
	}
}
