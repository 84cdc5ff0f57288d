package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A Load is what to do to a server: a process of its own does it, on one
// thread, with epoll.
type Load struct {
	Addr  string
	Conns int
	Bytes int
	Warm  time.Duration
	For   time.Duration
	Every time.Duration // each connection sends so often; 0: when it has its answer
	Hold  bool          // one echo each, then wait for the end of standard input
}

// A Report is what came of it.
type Report struct {
	Requests int
	Seconds  float64
	P50, P99 time.Duration
}

type peer struct {
	fd      int
	left    int       // bytes to come
	due     time.Time // of the message that is under way, or of the next
	waiting bool
}

type loader struct {
	Load
	ep    int
	timer int // descriptor that is readable when the next message is due
	peers map[int32]*peer
	order []*peer
	out   []byte
	in    []byte
	took  []time.Duration
	count bool
}

// runLoad is the load process: options from its argument, report to stdout.
func runLoad(arg string) error {
	var l loader
	if err := json.Unmarshal([]byte(arg), &l.Load); err != nil {
		return err
	}
	l.peers, l.out, l.in = map[int32]*peer{}, make([]byte, l.Bytes), make([]byte, 64<<10)
	var err error
	if l.ep, err = unix.EpollCreate1(0); err != nil {
		return err
	}
	for range l.Conns {
		if err := l.connect(); err != nil {
			return err
		}
	}
	if l.Hold {
		return l.hold()
	}
	began := time.Now()
	for i, p := range l.order {
		p.due = began.Add(l.Every * time.Duration(i) / time.Duration(l.Conns))
		if l.Every == 0 {
			if err := l.send(p, began); err != nil {
				return err
			}
		}
	}
	if err := l.work(began.Add(l.Warm)); err != nil {
		return err
	}
	l.count, began = true, time.Now()
	if err := l.work(began.Add(l.For)); err != nil {
		return err
	}
	return l.report(time.Since(began))
}

func (l *loader) connect() error {
	c, err := net.Dial("tcp", l.Addr)
	if err != nil {
		return err
	}
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		return err
	}
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		return err
	}
	_, _ = f.Close(), c.Close()
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	p := &peer{fd: fd}
	l.peers[int32(fd)], l.order = p, append(l.order, p)
	return unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func (l *loader) send(p *peer, due time.Time) error {
	p.left, p.due, p.waiting = l.Bytes, due, true
	_, err := unix.Write(p.fd, l.out)
	return err
}

// work serves the connections until the end.
func (l *loader) work(end time.Time) error {
	events := make([]unix.EpollEvent, 256)
	for now := time.Now(); now.Before(end); now = time.Now() {
		if l.Every > 0 {
			if err := l.pace(now, end); err != nil {
				return err
			}
		}
		n, err := unix.EpollWait(l.ep, events, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		for _, ev := range events[:max(n, 0)] {
			p := l.peers[ev.Fd]
			if p == nil {
				continue // the timer: setting it anew takes its readiness away
			}
			if err := l.receive(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// pace sends what is due, and sets the timer to what is next. A connection
// whose answer is late skips, and its delay counts from the time that its
// message was due.
func (l *loader) pace(now, end time.Time) error {
	next := end
	for _, p := range l.order {
		switch {
		case p.waiting:
		case now.Before(p.due):
			if p.due.Before(next) {
				next = p.due
			}
		default:
			if err := l.send(p, p.due); err != nil {
				return err
			}
		}
	}
	if l.timer == 0 {
		fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK)
		if err != nil {
			return err
		}
		if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return err
		}
		l.timer = fd
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(1, next.Sub(now).Nanoseconds()))}
	return unix.TimerfdSettime(l.timer, 0, &spec, nil)
}

func (l *loader) receive(p *peer) error {
	n, err := unix.Read(p.fd, l.in)
	if err == unix.EAGAIN {
		return nil
	}
	if err != nil || n == 0 {
		return fmt.Errorf("the server closed a connection: %v", err)
	}
	if p.left -= n; p.left > 0 {
		return nil
	}
	now := time.Now()
	if l.count {
		l.took = append(l.took, now.Sub(p.due))
	}
	p.waiting = false
	if l.Every == 0 {
		return l.send(p, now)
	}
	for !p.due.After(now) {
		p.due = p.due.Add(l.Every)
	}
	return nil
}

func (l *loader) report(took time.Duration) error {
	slices.Sort(l.took)
	r := Report{Requests: len(l.took), Seconds: took.Seconds()}
	if n := len(l.took); n > 0 {
		r.P50, r.P99 = l.took[n/2], l.took[n*99/100]
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// hold has each connection echo once and keeps it open.
func (l *loader) hold() error {
	for _, p := range l.order {
		if err := l.send(p, time.Now()); err != nil {
			return err
		}
		if err := unix.SetNonblock(p.fd, false); err != nil {
			return err
		}
		for p.left > 0 {
			n, err := unix.Read(p.fd, l.in)
			if err != nil || n == 0 {
				return fmt.Errorf("the server closed a connection: %v", err)
			}
			p.left -= n
		}
	}
	if err := l.report(time.Second); err != nil {
		return err
	}
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}
