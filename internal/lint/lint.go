package lint

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Module is the path of the module that the layer table is about.
const Module = "github.com/leat-dev/leat"

// A File is one parsed Go file.
type File struct {
	// Name is the path from the root of the repository, with "/".
	Name string
	// Dir is the folder of Name, "." for the root. It is also the name of
	// the package in the layer table.
	Dir string
	// Test says that the name ends in _test.go.
	Test bool
	// Lines is how many lines the file has.
	Lines int
	// AST is the syntax tree, with comments.
	AST *ast.File
}

// A Tree is the Go files of a module. It is not changed after [Load].
type Tree struct {
	// Fset positions the nodes of all files.
	Fset *token.FileSet
	// Files is sorted by name.
	Files []*File
}

// A Finding is one place that breaks a rule.
type Finding struct {
	// Pos is "file:line", or a file or folder alone.
	Pos string
	// Rule is the name of the rule.
	Rule string
	// Text says what is wrong and what to do.
	Text string
}

// String returns "pos: rule: text".
func (f Finding) String() string { return f.Pos + ": " + f.Rule + ": " + f.Text }

// A Rule looks for one kind of mistake.
type Rule struct {
	// Name is one word.
	Name string
	// Find returns what breaks the rule.
	Find func(t *Tree) []Finding
}

// Rules returns every rule that the repository keeps.
func Rules() []Rule {
	return []Rule{
		{"layers", Layers},
		{"modules", Modules},
		{"pkgname", PackageNames},
		{"pkgdoc", PackageDocs},
		{"exported", Exported},
		{"length", Length},
		{"goroutine", Goroutines},
		{"sleep", Sleeps},
		{"skip", Skips},
		{"pure", Pure},
		{"unfinished", Unfinished},
		{"contexts", Contexts},
	}
}

// Check runs all [Rules] and returns the findings, sorted by place.
func Check(t *Tree) []Finding {
	var all []Finding
	for _, r := range Rules() {
		all = append(all, r.Find(t)...)
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Pos, b.Pos) })
	return all
}

// Load parses the Go files below the root of fsys. A file that does not
// parse is an error.
func Load(fsys fs.FS) (*Tree, error) {
	t := &Tree{Fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipDir(fsys, name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		return t.add(fsys, name)
	})
	return t, err
}

// skipDir reports whether the folder is not part of the module.
func skipDir(fsys fs.FS, name string) bool {
	if name == "." {
		return false
	}
	if b := path.Base(name); b == "testdata" || b[0] == '.' || b[0] == '_' {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(name, "go.mod"))
	return err == nil
}

// add parses one file.
func (t *Tree) add(fsys fs.FS, name string) error {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	tree, err := parser.ParseFile(t.Fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.Files = append(t.Files, &File{
		Name:  name,
		Dir:   path.Dir(name),
		Test:  strings.HasSuffix(name, "_test.go"),
		Lines: bytes.Count(src, []byte("\n")),
		AST:   tree,
	})
	return nil
}

// Packages returns the folders that hold Go files other than tests, sorted.
func (t *Tree) Packages() []string {
	var dirs []string
	for _, f := range t.Files {
		if !f.Test {
			dirs = append(dirs, f.Dir)
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// find returns a finding at the position of a node.
func (t *Tree) find(rule string, at token.Pos, format string, args ...any) Finding {
	p := t.Fset.Position(at)
	return Finding{Pos: p.Filename + ":" + strconv.Itoa(p.Line), Rule: rule, Text: fmt.Sprintf(format, args...)}
}

// line returns the line of a position.
func (t *Tree) line(at token.Pos) int { return t.Fset.Position(at).Line }

// commented reports whether a comment that ok accepts ends on the line of at
// or on one of the three lines above.
func (t *Tree) commented(f *File, at token.Pos, ok func(text string) bool) bool {
	line := t.line(at)
	for _, c := range f.AST.Comments {
		if end := t.line(c.End()); end <= line && end >= line-3 && ok(c.Text()) {
			return true
		}
	}
	return false
}
