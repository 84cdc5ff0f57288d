package lint

import (
	"go/ast"
	"go/token"
	"path"
	"strings"
)

// badNames are package names that say nothing about what is inside.
var badNames = []string{"util", "utils", "common", "base", "types", "helper", "helpers", "misc", "shared"}

// PackageNames finds packages whose name says nothing, or differs from their
// folder.
func PackageNames(t *Tree) []Finding {
	var all []Finding
	for _, f := range t.Files {
		name := strings.TrimSuffix(f.AST.Name.Name, "_test")
		for _, bad := range badNames {
			if name == bad {
				all = append(all, t.find("pkgname", f.AST.Name.Pos(), "package %s: name it after what it provides", name))
			}
		}
		if f.Dir != "." && name != "main" && name != path.Base(f.Dir) {
			all = append(all, t.find("pkgname", f.AST.Name.Pos(), "package %s is in folder %s", name, path.Base(f.Dir)))
		}
	}
	return all
}

// PackageDocs finds packages without exactly one package comment. It stands
// in doc.go and begins with "Package name"; a main package has it in any
// file, beginning as it likes.
func PackageDocs(t *Tree) []Finding {
	docs := map[string][]*File{}
	for _, f := range t.Files {
		if f.AST.Doc != nil && !f.Test {
			docs[f.Dir] = append(docs[f.Dir], f)
		}
	}
	var all []Finding
	for _, pkg := range t.Packages() {
		if len(docs[pkg]) != 1 {
			all = append(all, Finding{Pos: pkg, Rule: "pkgdoc", Text: "want one package comment, in doc.go"})
			continue
		}
		f := docs[pkg][0]
		name := f.AST.Name.Name
		if name == "main" {
			continue
		}
		if path.Base(f.Name) != "doc.go" {
			all = append(all, t.find("pkgdoc", f.AST.Doc.Pos(), "move the package comment to doc.go"))
		}
		if !strings.HasPrefix(f.AST.Doc.Text(), "Package "+name+" ") {
			all = append(all, t.find("pkgdoc", f.AST.Doc.Pos(), "begin with %q", "Package "+name))
		}
	}
	return all
}

// Exported finds exported names without a comment that begins with the name.
// Constants and variables may share the comment of their group or have one
// behind them; methods of exported interfaces need any comment. Tests and
// main packages are left alone.
func Exported(t *Tree) []Finding {
	var all []Finding
	for _, f := range t.Files {
		if f.Test || f.AST.Name.Name == "main" {
			continue
		}
		for _, d := range f.AST.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && !begins(d.Doc, d.Name.Name) {
					all = append(all, t.undocumented(d.Name))
				}
			case *ast.GenDecl:
				all = append(all, t.undocumentedSpecs(d)...)
			}
		}
	}
	return all
}

// undocumentedSpecs returns the findings of a type, const or var declaration.
func (t *Tree) undocumentedSpecs(d *ast.GenDecl) []Finding {
	var all []Finding
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			doc := s.Doc
			if doc == nil && !d.Lparen.IsValid() {
				doc = d.Doc
			}
			if s.Name.IsExported() && !begins(doc, s.Name.Name) {
				all = append(all, t.undocumented(s.Name))
			}
			all = append(all, t.undocumentedMethods(s)...)
		case *ast.ValueSpec:
			single := !d.Lparen.IsValid()
			for _, n := range s.Names {
				if !n.IsExported() {
					continue
				}
				if single && !begins(d.Doc, n.Name) || d.Doc == nil && s.Doc == nil && s.Comment == nil {
					all = append(all, t.undocumented(n))
				}
			}
		}
	}
	return all
}

// undocumentedMethods returns the methods of an exported interface that have
// no comment.
func (t *Tree) undocumentedMethods(s *ast.TypeSpec) []Finding {
	iface, ok := s.Type.(*ast.InterfaceType)
	if !ok || !s.Name.IsExported() {
		return nil
	}
	var all []Finding
	for _, m := range iface.Methods.List {
		for _, n := range m.Names {
			if n.IsExported() && m.Doc == nil && m.Comment == nil {
				all = append(all, t.find("exported", n.Pos(), "%s.%s needs a comment", s.Name.Name, n.Name))
			}
		}
	}
	return all
}

// undocumented returns the finding for a name.
func (t *Tree) undocumented(n *ast.Ident) Finding {
	return t.find("exported", n.Pos(), "%s needs a comment that begins with its name", n.Name)
}

// begins reports whether the comment starts with the name, after an article
// if there is one.
func begins(doc *ast.CommentGroup, name string) bool {
	words := strings.Fields(doc.Text())
	if len(words) > 1 && (words[0] == "A" || words[0] == "An" || words[0] == "The") {
		words = words[1:]
	}
	return len(words) > 0 && strings.TrimRight(words[0], ",.:;") == name
}

// exportedReceiver reports whether d is a function, or a method of an
// exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	for _, f := range d.Recv.List {
		e := f.Type
		for {
			switch x := e.(type) {
			case *ast.StarExpr:
				e = x.X
			case *ast.IndexExpr:
				e = x.X
			case *ast.IndexListExpr:
				e = x.X
			case *ast.Ident:
				return token.IsExported(x.Name)
			default:
				return true
			}
		}
	}
	return true
}
