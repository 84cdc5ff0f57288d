package looptest

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/leat-dev/leat/loop"
)

// A Link is how messages get from one node to another.
type Link struct {
	// Delay is how long a message takes, and Jitter how much more it takes at
	// most, at random: datagrams overtake each other then.
	Delay, Jitter time.Duration
	// Loss and Duplicate are the parts of the datagrams that are lost and
	// that come twice, 0 to 1. On a stream, a loss costs another Resend.
	Loss, Duplicate float64
	// Resend is how long a stream waits before it sends a piece again.
	// Default: 200 ms.
	Resend time.Duration
	// Window is how many bytes of a stream are on their way or not read, at
	// most. Default: 64 KiB.
	Window int
}

const (
	defaultResend = 200 * time.Millisecond
	defaultWindow = 64 << 10
)

// A Net connects nodes.
type Net struct {
	// Default is how all nodes are connected, unless Connect said otherwise.
	// The zero value delivers at once and everything.
	Default Link

	l     *loop.Loop
	rand  *rand.Rand
	nodes map[string]*Node
	links map[[2]string]Link
	side  map[string]int // of a partition; nil: none
	pipes []*pipe        // open ones
}

func newNet(l *loop.Loop, r *rand.Rand) *Net {
	return &Net{l: l, rand: r, nodes: map[string]*Node{}, links: map[[2]string]Link{}}
}

// Node returns the node of that name, which is made if need be.
func (n *Net) Node(name string) *Node {
	nd := n.nodes[name]
	if nd == nil {
		nd = &Node{net: n, name: name}
		n.nodes[name] = nd
	}
	return nd
}

// Connect sets the link from one node to another, one way.
func (n *Net) Connect(from, to string, link Link) { n.links[[2]string{from, to}] = link }

// Partition cuts the network into groups of nodes that reach each other; the
// nodes that are in none of them are a group too. Datagrams between groups
// are lost, also those on their way; streams stand still.
func (n *Net) Partition(groups ...[]string) {
	n.side = map[string]int{}
	for i, g := range groups {
		for _, name := range g {
			n.side[name] = i + 1
		}
	}
}

// Heal ends a partition. Streams go on.
func (n *Net) Heal() {
	n.side = nil
	for _, p := range slices.Clone(n.pipes) {
		p.resume()
	}
}

// Break ends all streams between two nodes with an error at both ends.
func (n *Net) Break(a, b string) {
	for _, p := range slices.Clone(n.pipes) {
		if p.from == a && p.to == b || p.from == b && p.to == a {
			p.reset()
		}
	}
}

func (n *Net) cut(from, to string) bool { return n.side[from] != n.side[to] }

func (n *Net) link(from, to string) Link {
	if l, ok := n.links[[2]string{from, to}]; ok {
		return l
	}
	return n.Default
}

func (n *Net) chance(p float64) bool { return p > 0 && n.rand.Float64() < p }

func (n *Net) delay(k Link) time.Duration {
	if k.Jitter <= 0 {
		return k.Delay
	}
	return k.Delay + time.Duration(n.rand.Int64N(int64(k.Jitter)+1))
}

// A Node is a machine of the simulated network.
type Node struct {
	net     *Net
	name    string
	receive func(from string, p []byte)
	accept  func(loop.Stream)
}

// Name returns the node's name.
func (nd *Node) Name() string { return nd.name }

// Receive has fn called, at priority IO, with each datagram that comes; fn
// owns p. Without it they are lost.
func (nd *Node) Receive(fn func(from string, p []byte)) { nd.receive = fn }

// Send sends a copy of p as a datagram.
func (nd *Node) Send(to string, p []byte) {
	n := nd.net
	link := n.link(nd.name, to)
	times := 1
	switch {
	case n.cut(nd.name, to) || n.chance(link.Loss):
		return
	case n.chance(link.Duplicate):
		times = 2
	}
	for range times {
		data := slices.Clone(p)
		n.l.After(n.delay(link), loop.IO, func() {
			if peer := n.nodes[to]; peer != nil && peer.receive != nil && !n.cut(nd.name, to) {
				peer.receive(nd.name, data)
			}
		})
	}
}
