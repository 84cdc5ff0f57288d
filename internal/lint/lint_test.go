package lint_test

import (
	"os"
	"path"
	"testing"

	"github.com/leat-dev/leat/internal/lint"
)

// root is the folder of the module, seen from this package.
const root = "../.."

func TestRepository(t *testing.T) {
	tree, err := lint.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if pkgs := tree.Packages(); len(pkgs) < 5 {
		t.Fatalf("only %d packages found: is %s the root of the module?", len(pkgs), root)
	}
	for _, f := range lint.Check(tree) {
		t.Error(f)
	}
}

func TestLinks(t *testing.T) {
	found, err := lint.Links(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// TestTable checks that the layer table itself points down only.
func TestTable(t *testing.T) {
	above := map[string]bool{}
	for _, r := range lint.Table {
		above[r.Package] = true
	}
	for _, r := range lint.Table {
		for _, own := range r.Own {
			if !known(own) {
				t.Errorf("row %s allows %s, which has no row", r.Package, own)
			}
			if above[own] {
				t.Errorf("row %s allows %s, which stands on the same level or above", r.Package, own)
			}
		}
		delete(above, r.Package)
	}
}

// known reports whether a row covers the package.
func known(pkg string) bool {
	for _, r := range lint.Table {
		if ok, _ := path.Match(r.Package, pkg); ok || r.Package == pkg {
			return true
		}
	}
	return false
}
