package lint

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// An importUse is one import of a file.
type importUse struct {
	path string
	at   token.Pos
}

// imports returns the imports of f that keep accepts.
func (f *File) imports(keep func(p string) bool) []importUse {
	var list []importUse
	for _, s := range f.AST.Imports {
		if p, err := strconv.Unquote(s.Path.Value); err == nil && keep(p) {
			list = append(list, importUse{p, s.Pos()})
		}
	}
	return list
}

// own reports whether p is a package of this module.
func own(p string) bool { return within(p, Module) }

// outside reports whether p is neither of this module nor of the standard
// library, whose paths have no dot in their first element.
func outside(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return strings.Contains(first, ".") && !own(p)
}

// within reports whether p is prefix or below it.
func within(p, prefix string) bool {
	return p == prefix || strings.HasPrefix(p, prefix+"/")
}

// importName returns the name by which the file knows the package p, or ""
// when it does not import it.
func (f *File) importName(p string) string {
	for _, s := range f.AST.Imports {
		switch {
		case s.Path.Value != strconv.Quote(p):
		case s.Name != nil:
			return s.Name.Name
		default:
			return path.Base(p)
		}
	}
	return ""
}

// selects returns the name selected when n is pkg.name for one of the names;
// pkg is the result of importName.
func selects(n ast.Node, pkg string, names ...string) (name string, ok bool) {
	sel, isSel := n.(*ast.SelectorExpr)
	if !isSel || pkg == "" {
		return "", false
	}
	x, isIdent := sel.X.(*ast.Ident)
	if !isIdent || x.Name != pkg || !slices.Contains(names, sel.Sel.Name) {
		return "", false
	}
	return sel.Sel.Name, true
}
