package looptest

import (
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/loop"
)

// connectTimeout is when a node gives up connecting across a partition.
const connectTimeout = 30 * time.Second

// Listen has fn called with a stream for each connection that comes; nil
// refuses them. [loop.Loop.AttachStream] and [loop.Loop.ConnOf] make
// something of a stream.
func (nd *Node) Listen(fn func(loop.Stream)) { nd.accept = fn }

// Dial connects to another node and calls done, once, with a stream or an
// error: of kind Unavailable if the node does not listen, Timeout when it
// cannot be reached.
func (nd *Node) Dial(to string, done func(loop.Stream, error)) {
	n := nd.net
	fail := func(after time.Duration, kind fault.Kind, err error) {
		n.l.After(after, loop.IO, func() { done(nil, fault.New("dial", to, kind, err)) })
	}
	if n.cut(nd.name, to) {
		fail(connectTimeout, fault.Timeout, syscall.ETIMEDOUT)
		return
	}
	n.l.After(n.delay(n.link(nd.name, to)), loop.IO, func() {
		back := n.delay(n.link(to, nd.name))
		peer := n.nodes[to]
		switch {
		case n.cut(nd.name, to):
			fail(connectTimeout, fault.Timeout, syscall.ETIMEDOUT)
			return
		case peer == nil || peer.accept == nil:
			fail(back, fault.Unavailable, syscall.ECONNREFUSED)
			return
		}
		there, here := n.newPipe(nd.name, to), n.newPipe(to, nd.name)
		there.back, here.back = here, there
		peer.accept(&end{in: there, out: here})
		n.l.After(back, loop.IO, func() { done(&end{in: here, out: there}, nil) })
	})
}

// maxTries is when a piece of a stream gets through whatever the chance of
// loss.
const maxTries = 100

// A pipe is one direction of a stream.
type pipe struct {
	n        *Net
	from, to string
	back     *pipe
	flying   []piece
	last     time.Duration // when the youngest of them arrives
	stalled  int           // pieces that arrived in a partition
	bytes    int           // flying or arrived
	arrived  []byte
	ended    bool // after arrived
	broken   error
	gone     bool // the reader has closed

	read, write func()
	queued      bool
}

// A piece is some bytes on their way; none means the end.
type piece []byte

func (n *Net) newPipe(from, to string) *pipe {
	p := &pipe{n: n, from: from, to: to}
	n.pipes = append(n.pipes, p)
	return p
}

func (p *pipe) window() int {
	if w := p.n.link(p.from, p.to).Window; w > 0 {
		return w
	}
	return defaultWindow
}

// send puts a piece on its way. Pieces arrive in order.
func (p *pipe) send(data piece) {
	link := p.n.link(p.from, p.to)
	resend := link.Resend
	if resend <= 0 {
		resend = defaultResend
	}
	d := p.n.delay(link)
	for tries := 1; tries < maxTries && p.n.chance(link.Loss); tries++ {
		d += resend
	}
	now := p.n.l.Now()
	p.last = max(p.last, now+d)
	p.flying = append(p.flying, data)
	p.bytes += len(data)
	p.n.l.After(p.last-now, loop.IO, p.arrive)
}

// arrive takes in the oldest piece, whichever timer it was.
func (p *pipe) arrive() {
	switch {
	case len(p.flying) == 0: // reset meanwhile
		return
	case p.n.cut(p.from, p.to):
		p.stalled++
		return
	}
	data := p.flying[0]
	p.flying = p.flying[1:]
	switch {
	case p.gone && len(data) > 0: // as TCP answers what nobody will read
		p.reset()
	case len(data) == 0:
		p.ended = true
		p.forget()
	default:
		p.arrived = append(p.arrived, data...)
	}
	p.notify()
}

// resume sends what stood still in a partition again.
func (p *pipe) resume() {
	for ; p.stalled > 0; p.stalled-- {
		p.n.l.After(p.n.delay(p.n.link(p.from, p.to)), loop.IO, p.arrive)
	}
}

func (p *pipe) forget() {
	p.n.pipes = slices.DeleteFunc(p.n.pipes, func(q *pipe) bool { return q == p })
}

// reset ends the stream with an error at both ends, and drops what is on its
// way.
func (p *pipe) reset() {
	for _, q := range []*pipe{p, p.back} {
		q.flying, q.arrived, q.bytes = nil, nil, 0
		q.broken = syscall.ECONNRESET
		q.forget()
		q.notify()
	}
}

func (p *pipe) canRead() bool { return len(p.arrived) > 0 || p.ended || p.broken != nil }

func (p *pipe) canWrite() bool { return p.bytes < p.window() || p.broken != nil }

// notify runs the callbacks of both ends again while they have something to
// do.
func (p *pipe) notify() {
	if !p.queued && (p.read != nil && p.canRead() || p.write != nil && p.canWrite()) {
		p.queued = p.n.l.Post(loop.IO, p.run)
	}
}

func (p *pipe) run() {
	p.queued = false
	if p.read != nil && p.canRead() {
		p.read()
	}
	if p.write != nil && p.canWrite() {
		p.write()
	}
	p.notify()
}

// An end of a stream implements [loop.Stream].
type end struct {
	in, out  *pipe
	shut     bool // for writing
	isClosed bool
}

func (e *end) Read(b []byte) (int, error) {
	p := e.in
	switch {
	case e.isClosed:
		return 0, net.ErrClosed
	case p.broken != nil:
		return 0, p.broken
	case len(p.arrived) > 0:
		n := copy(b, p.arrived)
		p.arrived = p.arrived[n:]
		p.bytes -= n
		p.notify()
		return n, nil
	case p.ended:
		return 0, io.EOF
	}
	return 0, loop.ErrNotReady
}

func (e *end) Write(b []byte) (int, error) {
	p := e.out
	room := p.window() - p.bytes
	switch {
	case e.isClosed || e.shut:
		return 0, net.ErrClosed
	case p.broken != nil:
		return 0, p.broken
	case room <= 0:
		return 0, loop.ErrNotReady
	case len(b) == 0:
		return 0, nil
	}
	n := min(room, len(b))
	p.send(slices.Clone(b[:n]))
	return n, nil
}

func (e *end) OnReadable(fn func()) error {
	e.in.read = fn
	e.in.notify()
	return nil
}

func (e *end) OnWritable(fn func()) error {
	e.out.write = fn
	e.out.notify()
	return nil
}

func (e *end) CloseWrite() error {
	if !e.shut && e.out.broken == nil {
		e.shut = true
		e.out.send(nil)
	}
	return nil
}

func (e *end) Close() error {
	if e.isClosed {
		return nil
	}
	_ = e.CloseWrite()
	e.leave()
	return nil
}

func (e *end) Abort() error {
	if e.isClosed {
		return nil
	}
	e.leave()
	// The peer hears of it as late as of anything else.
	n, p := e.out.n, e.out
	n.l.After(n.delay(n.link(p.from, p.to)), loop.IO, p.reset)
	return nil
}

func (e *end) leave() {
	e.isClosed = true
	e.in.gone = true
	e.in.read, e.out.write = nil, nil
}

func (e *end) LocalAddr() net.Addr  { return nodeAddr(e.out.from) }
func (e *end) RemoteAddr() net.Addr { return nodeAddr(e.out.to) }

// A nodeAddr is the address of a node.
type nodeAddr string

func (nodeAddr) Network() string  { return "looptest" }
func (a nodeAddr) String() string { return fmt.Sprint("looptest:", string(a)) }
