// Package drivertest is the conformance suite of [driver.FS]: every back end
// and every layer runs it.
//
// # Model
//
// [Run] calls a function that opens a fresh, empty store for each subtest,
// described by a [Harness]. Subtests are named by verb: Stat, List, Page,
// Open, Write, Cancel, Exclusive, Replace, Remove, Batch, Copy, Names,
// Concurrent, Canceled, Closed. What a store may legitimately do differently
// is a field of the harness, not a skipped test.
//
// # Rules
//
// The suite checks the contracts in package driver and nothing else; when it
// and a back end disagree, one of them is wrong. It leaves nothing behind:
// the stores belong to the harness, which cleans up with t.Cleanup.
//
// # Example
//
//	func TestConformance(t *testing.T) {
//		drivertest.Run(t, func(t *testing.T) drivertest.Harness {
//			return drivertest.Harness{FS: memfs.New()}
//		})
//	}
package drivertest
