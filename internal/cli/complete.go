package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/fsys"
)

const (
	// completeWithin bounds a listing for the shell: someone waits at a
	// prompt.
	completeWithin = 2 * time.Second
	// completeMost is more names than anyone reads.
	completeMost = 1000
)

// completeURLs completes the last component of a URL by listing what is
// above it. Local names are left to the shell.
func (a *App) completeURLs(cmd *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
	scheme := fsys.Scheme(text)
	slash := strings.LastIndexByte(text, '/')
	if scheme == "" {
		return nil, cobra.ShellCompDirectiveDefault
	}
	const none = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	if slash < len(scheme)+len("://") { // which stores there are is not known
		return nil, none
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	dir, prefix := text[:slash+1], text[slash+1:]
	f, path, err := a.Mux.Resolve(ctx, dir)
	if err != nil {
		return nil, none
	}
	var names []string
	path = strings.TrimSuffix(path, "/")
	for e, err := range f.List(ctx, path, &fsys.ListOptions{Prefix: prefix}) {
		if err != nil || len(names) == completeMost {
			break // what has been found is worth showing
		}
		name := strings.TrimPrefix(strings.TrimPrefix(e.Path, path), "/")
		if quoteUnprintable(name) != name {
			continue // a shell cannot complete it
		}
		if e.Kind == fsys.Dir {
			name += "/"
		}
		names = append(names, dir+name)
	}
	return names, none
}
