module github.com/leat-dev/leat/bench/task

go 1.26.0

replace github.com/leat-dev/leat => ../..

require (
	github.com/alitto/pond/v2 v2.7.1
	github.com/leat-dev/leat v0.0.0-00010101000000-000000000000
	github.com/sourcegraph/conc v0.3.0
	golang.org/x/sync v0.24.0
)

require golang.org/x/sys v0.49.0 // indirect
