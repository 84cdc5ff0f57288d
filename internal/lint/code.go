package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// The longest files, in lines. A file that needs more is two subjects; a
// conformance suite may be longer, as its parts are read one at a time.
const (
	maxLines      = 600
	maxSuiteLines = 1000
)

// Length finds files, other than tests, that are too long to be one subject.
func Length(t *Tree) []Finding {
	var all []Finding
	for _, f := range t.Files {
		limit := maxLines
		if f.Dir == "fsys/drivertest" {
			limit = maxSuiteLines
		}
		if !f.Test && f.Lines > limit {
			text := fmt.Sprintf("%d lines, more than %d; split it by subject", f.Lines, limit)
			all = append(all, Finding{Pos: f.Name, Rule: "length", Text: text})
		}
	}
	return all
}

// ownerWord is what a comment on a go statement says.
var ownerWord = regexp.MustCompile(`(?i)\b(owner|owns|owned)\b`)

// Goroutines finds go statements without a comment that names the owner, the
// one who waits for the goroutine. Packages task and loop own theirs; tests
// are left alone.
func Goroutines(t *Tree) []Finding {
	var all []Finding
	for _, f := range t.Files {
		if f.Test || within(f.Dir, "task") || within(f.Dir, "loop") {
			continue
		}
		for n := range ast.Preorder(f.AST) {
			if g, ok := n.(*ast.GoStmt); ok && !t.commented(f, g.Pos(), ownerWord.MatchString) {
				all = append(all, t.find("goroutine", g.Pos(), "say who is its owner in a comment just above, or use package task"))
			}
		}
	}
	return all
}

// Sleeps finds time.Sleep in tests, which makes them slow and flaky. In a
// bubble of testing/synctest, where it is free and exact, it is welcome: in
// the arguments of synctest.Test, or with a comment just above that says
// "synctest".
func Sleeps(t *Tree) []Finding {
	var all []Finding
	for _, f := range t.Files {
		name := f.importName("time")
		if !f.Test || name == "" {
			continue
		}
		bubbles := f.calls("testing/synctest", "Test")
		for n := range ast.Preorder(f.AST) {
			if _, ok := selects(n, name, "Sleep"); !ok || inside(n, bubbles) {
				continue
			}
			says := func(text string) bool { return strings.Contains(text, "synctest") }
			if !t.commented(f, n.Pos(), says) {
				all = append(all, t.find("sleep", n.Pos(), "wait for the event itself, or use testing/synctest"))
			}
		}
	}
	return all
}

// calls returns the calls of the function pkg.name in the file.
func (f *File) calls(pkg, name string) []ast.Node {
	var list []ast.Node
	local := f.importName(pkg)
	for n := range ast.Preorder(f.AST) {
		if c, ok := n.(*ast.CallExpr); ok {
			if _, ok := selects(c.Fun, local, name); ok {
				list = append(list, c)
			}
		}
	}
	return list
}

// inside reports whether n lies within one of the outer nodes.
func inside(n ast.Node, outer []ast.Node) bool {
	return slices.ContainsFunc(outer, func(o ast.Node) bool { return o.Pos() <= n.Pos() && n.End() <= o.End() })
}

// Skips finds tests that skip without saying why.
func Skips(t *Tree) []Finding {
	var all []Finding
	for _, f := range t.Files {
		for n := range ast.Preorder(f.AST) {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				continue
			}
			sel, ok := c.Fun.(*ast.SelectorExpr)
			if !ok || len(c.Args) > 0 && !emptyString(c.Args[0]) {
				continue
			}
			if x, ok := sel.X.(*ast.Ident); !ok || !slices.Contains([]string{"t", "tb", "b", "f"}, x.Name) {
				continue
			}
			if slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				all = append(all, t.find("skip", c.Pos(), "say why the test is skipped"))
			}
		}
	}
	return all
}

// emptyString reports whether e is the literal "".
func emptyString(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	return ok && lit.Kind == token.STRING && len(lit.Value) == 2
}

// impure are the parts of the standard library that would tie a state machine
// to a machine; clock are the functions of package time that read or wait.
var (
	impure = []string{"net", "os", "syscall", "crypto/rand"}
	clock  = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
)

// Pure finds what the state machines of package sched must not do, so that a
// run can be replayed: start goroutines, read the clock, touch the network or
// the operating system.
func Pure(t *Tree) []Finding {
	var all []Finding
	for _, f := range t.Files {
		if f.Test || !within(f.Dir, "sched") {
			continue
		}
		bad := f.imports(func(p string) bool {
			return slices.ContainsFunc(impure, func(i string) bool { return within(p, i) })
		})
		for _, i := range bad {
			all = append(all, t.find("pure", i.at, "sched may not import %s", i.path))
		}
		name := f.importName("time")
		for n := range ast.Preorder(f.AST) {
			if g, ok := n.(*ast.GoStmt); ok {
				all = append(all, t.find("pure", g.Pos(), "sched may not start goroutines"))
			}
			if fn, ok := selects(n, name, clock...); ok {
				all = append(all, t.find("pure", n.Pos(), "sched may not call time.%s; time is an input", fn))
			}
		}
	}
	return all
}

// unfinished is what marks work that was left for later.
var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

// Unfinished finds comments that leave work for later: what is missing
// belongs into an issue, where others see it.
func Unfinished(t *Tree) []Finding {
	var all []Finding
	for _, f := range t.Files {
		for _, g := range f.AST.Comments {
			for _, c := range g.List {
				if word := unfinished.FindString(c.Text); word != "" {
					all = append(all, t.find("unfinished", c.Pos(), "%s: do it, or open an issue", word))
				}
			}
		}
	}
	return all
}

// Contexts finds functions that take a context anywhere but first. Test
// helpers may have the test before it.
func Contexts(t *Tree) []Finding {
	var all []Finding
	for _, f := range t.Files {
		pkg, testing := f.importName("context"), f.importName("testing")
		for _, d := range f.AST.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || f.Test {
				continue
			}
			for i, p := range fn.Type.Params.List {
				if _, ok := selects(p.Type, pkg, "Context"); !ok || i == 0 {
					continue
				}
				first := fn.Type.Params.List[0].Type
				if star, ok := first.(*ast.StarExpr); ok {
					first = star.X
				}
				if _, ok := selects(first, testing, "TB", "T", "B", "F"); !ok || i > 1 {
					all = append(all, t.find("contexts", p.Pos(), "%s: the context comes first", fn.Name.Name))
				}
			}
		}
	}
	return all
}
