package task

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Count returns how many nodes the snapshot has, and how many of them wait
// for something that was announced.
func (s *Snapshot) Count() (tasks, waiting int) {
	s.each(func(n *Node, _, _ int) {
		tasks++
		if n.State == Waits {
			waiting++
		}
	})
	return tasks, waiting
}

// each calls fn for each node, those above first, with its depth and its
// number. The stack is not that of the goroutine: trees may be deep.
func (s *Snapshot) each(fn func(n *Node, depth, parent int)) {
	type item struct {
		n             *Node
		depth, parent int
	}
	var stack []item
	push := func(nodes []*Node, depth, parent int) {
		for i := len(nodes) - 1; i >= 0; i-- {
			stack = append(stack, item{nodes[i], depth, parent})
		}
	}
	push(s.Roots, 0, 0)
	for id := 1; len(stack) > 0; id++ {
		it := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		fn(it.n, it.depth, it.parent)
		push(it.n.Tasks, it.depth+1, id)
	}
}

// maxIndent bounds the length of a line; what is deeper shows its depth.
const maxIndent = 40

// WriteText writes the tree for people: a line for each task.
func (s *Snapshot) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	s.each(func(n *Node, depth, _ int) {
		b.WriteString(strings.Repeat("  ", min(depth, maxIndent)))
		if depth > maxIndent {
			fmt.Fprintf(b, "[%d] ", depth)
		}
		n.writeText(b)
	})
	for _, dump := range s.Stuck {
		fmt.Fprintf(b, "a loop does not answer; it is held up by:\n%s\n", strings.TrimRight(dump, "\n"))
	}
	return b.Flush()
}

func (n *Node) writeText(b *bufio.Writer) {
	name := n.Name
	switch {
	case name == "" && n.seq > 0:
		name = "#" + strconv.Itoa(int(n.seq))
	case !printable(name):
		name = strconv.Quote(name)
	}
	switch {
	case n.Group:
		name = strings.TrimPrefix(name+" (group)", " ")
	case name == "":
		name = "(coroutine)"
	}
	b.WriteString(name)
	if n.Age > 0 {
		b.WriteString("  " + short(n.Age))
	}
	for _, w := range n.Waits {
		what := w.For
		if !printable(what) {
			what = strconv.Quote(what)
		}
		b.WriteString("  waits " + short(w.Since) + " for " + what)
	}
	if len(n.Waits) == 0 && n.State != Unknown {
		b.WriteString("  " + string(n.State))
	}
	if n.Pending > 0 {
		b.WriteString("  " + strconv.Itoa(n.Pending) + " not begun")
	}
	if n.Spawned != "" {
		b.WriteString("  " + sourceLine(n.Spawned))
	}
	b.WriteByte('\n')
}

// sourceLine shortens the name of a file to the last directory.
func sourceLine(spawned string) string {
	return path.Join(path.Base(path.Dir(spawned)), path.Base(spawned))
}

func printable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

// short rounds to three digits.
func short(d time.Duration) string {
	for unit := time.Duration(1); unit < time.Hour; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
	return d.Round(time.Second).String()
}

// lineJSON is a node, one a line. The tree is in the numbers, because deep
// ones do not nest well.
type lineJSON struct {
	ID      int        `json:"id"`
	Parent  int        `json:"parent,omitempty"` // 0: a root
	Name    string     `json:"name"`
	NameB64 []byte     `json:"name_b64,omitempty"` // if the name is not UTF-8
	Group   bool       `json:"group,omitempty"`
	State   State      `json:"state,omitempty"`
	AgeNS   int64      `json:"age_ns,omitempty"`
	Waits   []waitJSON `json:"waits,omitempty"`
	Pending int        `json:"pending,omitempty"`
	Spawned string     `json:"spawned,omitempty"`
}

type waitJSON struct {
	For     string `json:"for"`
	SinceNS int64  `json:"since_ns"`
}

type totalJSON struct {
	Tasks   int       `json:"tasks"`
	Waiting int       `json:"waiting"`
	Time    time.Time `json:"time"`
	Stuck   []string  `json:"stuck,omitempty"`
}

// WriteJSON writes the tree as one JSON object a line: the tasks, numbered
// from 1, each with the number of the one above it, and a summary last.
func (s *Snapshot) WriteJSON(w io.Writer) error {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	id, total := 0, totalJSON{Time: s.Time, Stuck: s.Stuck}
	var err error
	s.each(func(n *Node, _, parent int) {
		id++
		line := lineJSON{
			ID: id, Parent: parent, Name: n.Name, Group: n.Group, State: n.State,
			AgeNS: int64(n.Age), Pending: n.Pending, Spawned: n.Spawned,
		}
		if !utf8.ValidString(n.Name) {
			line.NameB64 = []byte(n.Name)
		}
		for _, w := range n.Waits {
			line.Waits = append(line.Waits, waitJSON{w.For, int64(w.Since)})
		}
		if err == nil {
			err = enc.Encode(line)
		}
	})
	if err != nil {
		return err
	}
	total.Tasks, total.Waiting = s.Count()
	if err := enc.Encode(total); err != nil {
		return err
	}
	return b.Flush()
}

// Handler returns an HTTP handler that shows the [Tree] of the process: as
// text, or as lines of JSON when the query has format=json or the client
// accepts application/json. Names of tasks may tell what a process works on;
// serve it only to those who may know.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET is possible here", http.StatusMethodNotAllowed)
			return
		}
		s := Tree()
		w.Header().Set("Cache-Control", "no-store")
		if req.URL.Query().Get("format") == "json" || strings.Contains(req.Header.Get("Accept"), "application/json") {
			w.Header().Set("Content-Type", "application/json")
			_ = s.WriteJSON(w)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		tasks, waiting := s.Count()
		fmt.Fprintf(w, "%d tasks, %d wait\n", tasks, waiting)
		_ = s.WriteText(w)
	})
}
