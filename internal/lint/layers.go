package lint

import (
	"path"
	"slices"
	"strings"
)

// A Row says what the non-test files of a package may import.
type Row struct {
	// Package is a folder, or a pattern of [path.Match] for folders that are
	// alike. The first row that matches counts.
	Package string
	// Own lists what it may import of this module, as folders or patterns;
	// each must stand in an earlier row.
	Own []string
	// Outside lists the module or package prefixes that it may import
	// besides the standard library.
	Outside []string
}

// Table is the order of the packages, lowest first. An import that no row
// allows is a mistake in the import or a decision to write down, not a row to
// widen in passing.
var Table = []Row{
	{Package: "fault"},
	{Package: "task", Own: []string{"fault"}},
	{Package: "loop", Own: []string{"task", "fault"}, Outside: []string{"golang.org/x/sys"}},
	{Package: "loop/looptest", Own: []string{"loop", "task", "fault"}},
	{Package: "examples/models", Own: []string{"loop"}, Outside: []string{"golang.org/x/sys"}},
	{Package: "sched", Own: []string{"fault"}},

	{Package: "fsys/driver", Own: []string{"fault"}},
	{Package: "internal/httpwire", Own: []string{"fsys/driver", "task", "fault"}},
	{Package: "internal/dirwalk", Own: []string{"fsys/driver", "fault"}},
	{Package: "fsys", Own: []string{"fsys/driver", "task", "fault"}},
	{Package: "fsys/drivertest", Own: []string{"fsys/driver", "task", "fault"}},
	{Package: "fsys/layer/caps", Own: []string{"fsys/driver"}},
	{Package: "fsys/layer/limitfs", Own: layerOwn, Outside: []string{"golang.org/x/time/rate"}},
	{Package: "fsys/layer/*", Own: layerOwn},
	{Package: "internal/archive", Own: []string{"fsys", "fsys/driver", "fault"}},
	{Package: "fsys/backend/zipfs", Own: archiveOwn, Outside: compression},
	{Package: "fsys/backend/tarfs", Own: archiveOwn, Outside: compression},
	{Package: "fsys/backend/datafs", Own: archiveOwn},
	{Package: "fsys/backend/reffs", Own: archiveOwn},
	{Package: "fsys/backend/gitfs", Own: archiveOwn},
	{Package: "fsys/backend/sftpfs", Own: backendOwn, Outside: []string{"github.com/pkg/sftp", "golang.org/x/crypto/ssh"}},
	{Package: "fsys/backend/s3fs", Own: httpOwn, Outside: []string{"github.com/minio/minio-go/v7"}},
	{Package: "fsys/backend/httpfs", Own: httpOwn, Outside: []string{"golang.org/x/net/html"}},
	{Package: "fsys/backend/webdavfs", Own: append([]string{"fsys/backend/httpfs"}, httpOwn...), Outside: []string{"golang.org/x/net/webdav"}},
	{Package: "fsys/backend/*", Own: backendOwn},
	{Package: "fsys/backend", Own: []string{"fsys/backend/*", "fsys/layer/*", "fsys", "fsys/driver", "task", "fault"}},
	{Package: "bulk", Own: []string{"fsys", "fsys/driver", "task", "fault"}},

	{Package: "internal/scratch"},
	{Package: "internal/natsd", Own: []string{"internal/scratch", "task", "fault"},
		Outside: []string{"github.com/nats-io/nats-server/v2", "github.com/nats-io/nats.go"}},
	{Package: "cluster/peer", Own: []string{"internal/scratch", "task", "fault"}},
	{Package: "cluster/work", Own: []string{"cluster/peer", "internal/scratch", "sched", "fsys", "fsys/driver", "task", "fault"},
		Outside: []string{"github.com/fxamacker/cbor/v2"}},
	{Package: "cluster", Own: []string{"cluster/work", "cluster/peer", "internal/natsd", "sched", "bulk", "fsys", "fsys/driver", "loop", "task", "fault"},
		Outside: []string{"github.com/nats-io/nats.go", "github.com/fxamacker/cbor/v2"}},
	{Package: "internal/testenv", Own: []string{"fault"}},
	{Package: "internal/debugsock", Own: []string{"task"}, Outside: []string{"golang.org/x/sys"}},
	{Package: "internal/lint"},
	{Package: "internal/cli", Own: []string{"cluster", "cluster/work", "internal/natsd", "internal/debugsock", "bulk", "sched", "fsys", "fsys/backend",
		"fsys/driver", "fsys/layer/*", "loop", "task", "fault"},
		Outside: []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/vbauerster/mpb/v8", "golang.org/x/term"}},
	{Package: "internal/e2e"},
	{Package: "cmd/leat", Own: []string{"internal/cli"}},
	{Package: "bench/*", Own: []string{"cluster", "cluster/work", "internal/natsd", "bulk", "fsys", "fsys/backend", "task", "fault"}},
	{Package: "."},
}

// layerOwn is what every layer may import: not fsys, which knows no layers,
// and no back end.
var layerOwn = []string{"fsys/layer/caps", "fsys/driver", "task", "fault"}

// backendOwn is what every back end may import, fsys only for the type that
// plugs it into a mux; httpOwn is for those that speak HTTP, archiveOwn for
// those inside one object of another store.
var (
	backendOwn = []string{"internal/dirwalk", "fsys", "fsys/driver", "task", "fault"}
	httpOwn    = append([]string{"internal/httpwire"}, backendOwn...)
	archiveOwn = append([]string{"internal/archive"}, backendOwn...)

	compression = []string{"github.com/klauspost/compress"}
)

// testOutside is what test files of any package, and test suites, may import.
var testOutside = []string{"go.uber.org/goleak", "github.com/rogpeppe/go-internal"}

// testOnly are packages that only test files may import.
var testOnly = []string{"loop/looptest", "fsys/drivertest", "internal/testenv", "internal/lint", "internal/e2e"}

// row returns the row of a package, or nil.
func row(pkg string) *Row {
	for i := range Table {
		if ok, _ := path.Match(Table[i].Package, pkg); ok {
			return &Table[i]
		}
	}
	return nil
}

// Layers finds packages that the table does not name and imports of this
// module's packages that it does not allow. Test files may import any
// package.
func Layers(t *Tree) []Finding {
	var all []Finding
	for _, pkg := range t.Packages() {
		if row(pkg) == nil {
			all = append(all, Finding{Pos: pkg, Rule: "layers", Text: "package is not in the layer table; add a row to internal/lint/layers.go"})
		}
	}
	for _, f := range t.Files {
		r := row(f.Dir)
		if f.Test || r == nil {
			continue
		}
		for _, i := range f.imports(own) {
			used := strings.TrimPrefix(strings.TrimPrefix(i.path, Module), "/")
			switch {
			case slices.Contains(testOnly, used):
				all = append(all, t.find("layers", i.at, "%s is for test files only", used))
			case !matches(r.Own, used):
				all = append(all, t.find("layers", i.at, "%s may not import %s", f.Dir, used))
			}
		}
	}
	return all
}

// matches reports whether one of the patterns matches pkg.
func matches(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, pkg)
		return ok
	})
}

// Modules finds imports of other modules that the table does not allow. An
// SDK belongs to one package, in tests too; test libraries to tests.
func Modules(t *Tree) []Finding {
	var all []Finding
	for _, f := range t.Files {
		r := row(f.Dir)
		if r == nil {
			continue
		}
		allowed := r.Outside
		if f.Test || slices.Contains(testOnly, f.Dir) {
			allowed = append(slices.Clip(allowed), testOutside...)
		}
		for _, i := range f.imports(outside) {
			if !slices.ContainsFunc(allowed, func(m string) bool { return within(i.path, m) }) {
				all = append(all, t.find("modules", i.at, "%s may not import %s", f.Dir, i.path))
			}
		}
	}
	return all
}
