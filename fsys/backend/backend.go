package backend

import (
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
)

// Options tunes [Mux]. A nil pointer is the default.
type Options struct {
	// Local is for local files; nil is the default of that package.
	Local *localfs.Options
}

// Mux returns a mux over all back ends.
func Mux(opts *Options) *fsys.Mux {
	var o Options
	if opts != nil {
		o = *opts
	}
	local := localfs.Backend(o.Local)
	return fsys.NewMux(map[string]fsys.Backend{
		"": local, "file": local,
		"mem": memfs.Backend(),
	})
}
