// Map measures what scheduling costs: a map that does nothing, over inputs
// that a store in memory lists, on a cluster in this process.
//
// The time is from submitting the map to having its last result. Each round
// has a cluster of its own; that every input came back exactly once is
// checked. The output is a Markdown table.
//
//	go run ./bench/map -inputs 1000000 -workers 2 -rounds 5
package main
