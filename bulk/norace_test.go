//go:build !race

package bulk_test

// raceEnabled says that the race detector slows everything down.
const raceEnabled = false
