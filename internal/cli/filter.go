package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/bulk"
)

// filterFlags are the flags that select objects, the same for every command
// that works on trees.
type filterFlags struct {
	include, exclude []string
	minSize, maxSize string
	newer, older     time.Duration
}

// add declares the flags.
func (o *filterFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&o.include, "include", nil, "only names that match `GLOB`; may be repeated")
	f.StringArrayVar(&o.exclude, "exclude", nil, "not the names that match `GLOB`; may be repeated")
	f.StringVar(&o.minSize, "min-size", "", "objects of at least `SIZE` bytes: 4096, 64k, 1.5MiB, 2GB")
	f.StringVar(&o.maxSize, "max-size", "", "objects of at most `SIZE` bytes")
	f.DurationVar(&o.newer, "newer", 0, "changed less than `D` ago: 90s, 24h")
	f.DurationVar(&o.older, "older", 0, "changed more than `D` ago")
}

// filterText is about the flags, for the long help.
const filterText = `A GLOB without "/" is about the last part of a name, any other about the whole
name below the directory that was named; one that ends in "/" is about all that is
in such a directory. --exclude wins over --include.`

// filter reads the flags.
func (o *filterFlags) filter() (*bulk.Filter, error) {
	f := &bulk.Filter{Include: o.include, Exclude: o.exclude}
	for _, s := range []struct {
		flag, text string
		to         *int64
	}{{"min-size", o.minSize, &f.MinSize}, {"max-size", o.maxSize, &f.MaxSize}} {
		if s.text == "" {
			continue
		}
		n, err := parseSize(s.text)
		if err != nil {
			return nil, &usageError{msg: "--" + s.flag + ": " + err.Error()}
		}
		*s.to = n
	}
	if o.maxSize != "" && f.MaxSize == 0 {
		f.MaxSize = -1 // only what is empty
	}
	now := time.Now()
	if o.newer != 0 {
		f.Newer = now.Add(-o.newer)
	}
	if o.older != 0 {
		f.Older = now.Add(-o.older)
	}
	return f, f.Check()
}
