package task

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// A State is what a task does at a moment.
type State string

// The states of a task.
const (
	// Runs: it is at work, or waits for something that nobody has announced
	// by [Waiting].
	Runs State = "runs"
	// Waits: for what [Info.Waits] tells.
	Waits State = "waits"
	// Joins: it waits for the tasks of its group.
	Joins State = "joins"
	// Unknown: it has begun or ended just now.
	Unknown State = ""
)

// Info describes a task, or the body of a group, at one moment.
type Info struct {
	// Name is as given to Go, or in [Options]. It may be empty.
	Name string
	// Path is the names from the root to the task, as in [TaskError]. It is
	// empty in a [Snapshot].
	Path string
	// Spawned is the file and line that started it.
	Spawned string
	// Group says that it is the body of a group.
	Group bool
	// State is what it does.
	State State
	// Age is for how long it has been there. It may be too long by a few
	// quick tasks that ran before it on the same goroutine; on a loop it
	// counts from the first wait. 0 is unknown.
	Age time.Duration
	// Waits is what it waits for. A task may wait in more than one place if it
	// shares its context with goroutines.
	Waits []WaitInfo
	// Pending is how many tasks of the group have not begun.
	Pending int
}

// WaitInfo is one wait.
type WaitInfo struct {
	// For is what was given to [Waiting].
	For string
	// Since is for how long it has lasted.
	Since time.Duration
}

// A Node is a task in a [Snapshot].
type Node struct {
	Info
	// Tasks are the tasks below it, in the order they were started. A group
	// without a name stands for itself only at the root: its tasks are those
	// of the task that called [Run].
	Tasks []*Node

	seq   uint32 // of a task in its group, from 1
	since int64  // of its begin, by clock; 0: unknown
	seen  bool
}

// A Snapshot is the tree of the tasks of a process. It is not of one instant:
// groups are looked at one after the other while they go on.
type Snapshot struct {
	// Time is when it was taken.
	Time time.Time
	// Roots are the groups that no task has started, and the coroutines of
	// loops.
	Roots []*Node
	// Stuck has a stack trace for each loop that did not answer, because a
	// callback holds it up. Its tasks are missing.
	Stuck []string
}

// Tree returns all tasks that have begun, and the bodies of their groups. A
// group without a name is found once it has a task on another goroutine or
// one that waits, so that groups which end at once cost nothing. Tree blocks
// for a moment, a fifth of a second when a loop is held up. It costs about a
// microsecond for each task, and nothing as long as it is not called.
func Tree() *Snapshot {
	b := &builder{now: clock(), nodes: map[*record]*Node{}, groups: map[*Group]bool{}}
	s := &Snapshot{Time: time.Now()}
	for _, g := range listed() {
		b.group(g)
	}
	end := time.After(patience)
	for _, h := range listedHosts() {
		if !look(h, end, b.stack) {
			s.Stuck = append(s.Stuck, h.Dump())
		}
	}
	s.Roots = b.finish()
	return s
}

// All returns what [Tree] does as a list, with paths: a task stands before
// those below it.
func All() []Info {
	var all []Info
	var add func(nodes []*Node, above string)
	add = func(nodes []*Node, above string) {
		for _, n := range nodes {
			path := above
			if n.Name != "" && path != "" {
				path += pathSeparator
			}
			path += n.Name
			n.Path = path
			all = append(all, n.Info)
			add(n.Tasks, path)
		}
	}
	add(Tree().Roots, "")
	return all
}

// Current returns what is known about the task that ctx belongs to, without
// its state. It reports false outside of tasks. It does not block.
func Current(ctx context.Context) (Info, bool) {
	r, _ := ctx.Value(recordKey{}).(*record)
	if r == nil {
		return Info{}, false
	}
	return Info{Name: r.name, Path: r.path(), Spawned: r.spawned(), Group: r == &r.g.self}, true
}

func listed() []*Group {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	var all []*Group
	for g := registry.first; g != nil; g = g.crew.next {
		all = append(all, g)
	}
	return all
}

func listedHosts() []Listing {
	hosts.mu.Lock()
	defer hosts.mu.Unlock()
	return slices.Clone(hosts.all)
}

// A builder makes a snapshot. Each record is visited once.
type builder struct {
	now    int64
	nodes  map[*record]*Node
	groups map[*Group]bool // of hosts, that were looked at
	roots  []*Node
}

// above returns what r stands below in the tree, or nil.
func (r *record) above() *record {
	if r != &r.g.self {
		return &r.g.self
	}
	return r.g.above
}

// node returns the node of r; those above are made as well.
func (b *builder) node(r *record) *Node {
	first := b.nodes[r]
	if first != nil {
		return first
	}
	for below := (*Node)(nil); ; {
		n := b.nodes[r]
		known := n != nil
		if !known {
			n = &Node{seq: r.seq, Info: Info{Name: r.name, Spawned: r.spawned(), Group: r == &r.g.self}}
			b.nodes[r] = n
		}
		if below != nil {
			n.Tasks = append(n.Tasks, below)
		} else {
			first = n
		}
		if known {
			return first
		}
		if r = r.above(); r == nil {
			b.roots = append(b.roots, n)
			return first
		}
		below = n
	}
}

// saw notes that r is there.
func (b *builder) saw(r *record, since int64, s State) *Node {
	n := b.node(r)
	n.seen, n.State = true, s
	n.since = since
	return n
}

// group adds a group of the model of goroutines.
func (b *builder) group(g *Group) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.crew == nil {
		return
	}
	state := Runs
	if g.joining && g.joiner.cur == nil {
		state = Joins
	}
	b.saw(&g.self, g.began, state).Pending = g.queue.len + g.later.len
	b.runner(&g.joiner)
	for h := g.crew.helpers; h != nil; h = h.next {
		b.runner(&h.runner)
	}
	b.waits(g)
}

func (b *builder) runner(w *runner) {
	if w.cur != nil {
		b.saw(w.cur, w.since, Runs)
		w.mask = 0 // somebody looks: be exact from here
	}
}

// waits adds the waits of a group, whose lock is held.
func (b *builder) waits(g *Group) {
	for w := g.crew.waits; w != nil; w = w.next {
		n := b.node(w.rec)
		n.Waits = append(n.Waits, WaitInfo{For: w.what, Since: time.Duration(b.now - w.since)})
	}
}

// stack adds what is on a stack of a host.
func (b *builder) stack(s *Stack) {
	r := s.cur
	if r == nil {
		return
	}
	since := int64(0)
	if s.rested == r {
		since = s.first
	}
	n := b.saw(r, since, Runs)
	if r == &r.g.self && r.g.waiting {
		n.State = Joins
	}
	for r != nil && r.g.host != nil && r.g.wake.L == nil && !b.groups[r.g] {
		b.hosted(r.g)
		if r = r.g.above; r != nil && r.g.host != nil {
			if above := b.node(r); !above.seen {
				above.seen, above.State = true, Joins
			}
		}
	}
	if s.waits != "" && len(n.Waits) == 0 {
		n.Waits = []WaitInfo{{For: s.waits, Since: time.Duration(b.now - s.since)}}
	}
}

// hosted adds a group that is on a host.
func (b *builder) hosted(g *Group) {
	b.groups[g] = true
	n := b.node(&g.self)
	if !n.seen {
		n.seen, n.State = true, Joins
	}
	n.Pending = g.queue.len + g.later.len
	n.since = g.began
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.crew != nil {
		b.waits(g)
	}
}

// finish turns the nodes into the tree that is shown.
func (b *builder) finish() []*Node {
	top := &Node{Tasks: b.roots}
	b.settle(top, true)
	var roots []*Node
	for _, n := range top.Tasks {
		if n.Group && n.Name == "" && n.Spawned == "" { // a host's root
			roots = append(roots, n.Tasks...)
		} else {
			roots = append(roots, n)
		}
	}
	return roots
}

// settle puts the tasks below n in order, takes groups without a name out,
// and completes states and ages.
func (b *builder) settle(n *Node, root bool) {
	var tasks []*Node
	for _, t := range n.Tasks {
		b.settle(t, false)
		if t.since != 0 && !root && (n.since == 0 || t.since < n.since) {
			n.since = t.since
		}
		if t.Group && !root && n.State == Runs && (t.State != Runs || len(t.Tasks) > 0) {
			n.State = Joins
		}
		if !t.Group || t.Name != "" || root {
			tasks = append(tasks, t)
			continue
		}
		n.Pending += t.Pending
		n.Waits = append(n.Waits, t.Waits...)
		tasks = append(tasks, t.Tasks...)
	}
	slices.SortStableFunc(tasks, func(x, y *Node) int {
		return cmp.Or(cmp.Compare(x.seq, y.seq), cmp.Compare(x.since, y.since))
	})
	n.Tasks = tasks
	for _, w := range n.Waits {
		n.State = Waits
		if since := b.now - int64(w.Since); n.since == 0 || since < n.since {
			n.since = since
		}
	}
	if n.since != 0 {
		n.Age = time.Duration(max(0, b.now-n.since))
	}
}
