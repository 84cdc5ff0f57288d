// Package lint keeps the rules of this repository true by reading its files.
//
// # Model
//
// A [Tree] is every Go file of the module, parsed once. A rule is a function
// from a tree to [Finding] values; [Rules] lists them. The test of this
// package runs all rules over the repository, and each rule over a small
// source that breaks it.
//
// # Rules
//
// The files are read by the test itself and not by a child process: that
// makes them inputs of the test, so that its cached result is dropped when
// one of them changes. All build constraints are read alike. Folders with a
// go.mod of their own, testdata and hidden folders are left out. A package
// that the layer table does not name is a finding.
//
// # Example
//
//	tree, err := lint.Load(os.DirFS("../.."))
//	…
//	for _, f := range lint.Check(tree) {
//		t.Error(f)
//	}
package lint
