// Command leat does something to every object that a pattern matches,
// wherever the objects live.
package main

import (
	"os"

	"github.com/leat-dev/leat/internal/cli"
)

func main() { os.Exit(cli.Main()) }
