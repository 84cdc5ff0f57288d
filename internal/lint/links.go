package lint

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// link is the target of a Markdown link; a fence begins or ends quoted text.
var (
	link  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fence = regexp.MustCompile("^\\s*```")
)

// Links finds links in Markdown files to files that are not there.
func Links(fsys fs.FS) ([]Finding, error) {
	var all []Finding
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && path.Base(name)[0] == '.':
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".md":
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		if err == nil {
			all = append(all, deadLinks(fsys, name, string(text))...)
		}
		return err
	})
	return all, err
}

// deadLinks returns the findings of one file.
func deadLinks(fsys fs.FS, name, text string) []Finding {
	var all []Finding
	quoted := false
	for i, line := range strings.Split(text, "\n") {
		if fence.MatchString(line) {
			quoted = !quoted
		}
		if quoted {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, ":") {
				continue // inside the page, or on the web
			}
			if _, err := fs.Stat(fsys, path.Join(path.Dir(name), target)); err != nil {
				all = append(all, Finding{Pos: fmt.Sprintf("%s:%d", name, i+1), Rule: "links", Text: target + " does not exist"})
			}
		}
	}
	return all
}
