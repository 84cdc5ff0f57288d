package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by release builds with -ldflags -X; others show what the Go
// toolchain recorded.
var version = ""

type versionJSON struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(a *App) *cobra.Command {
	c := &cobra.Command{
		Use:     "version",
		Short:   "show the version of leat",
		Example: "  leat version\n  leat version --json",
	}
	return a.command(c, 0, func(*cobra.Command, []string) error {
		v := buildVersion()
		if a.json {
			return a.printJSON(v)
		}
		text := "leat " + v.Version
		if v.Revision != "" {
			text += " (" + v.Revision
			if v.Modified {
				text += ", modified"
			}
			text += ")"
		}
		return a.record(fmt.Appendf(nil, "%s, %s, %s\n", text, v.Go, v.Platform))
	})
}

func buildVersion() versionJSON {
	v := versionJSON{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value[:min(len(s.Value), 12)]
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	if v.Version == "" {
		v.Version = "(devel)"
	}
	return v
}
