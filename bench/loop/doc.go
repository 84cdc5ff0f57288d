// Command loop measures package loop against gnet and package net: TCP echo,
// memory of idle connections, and the delay of echoes beside computing. It
// needs Linux with two processors, and taskset.
//
//	go run . > table.md          # all of it, two minutes
//	go run . -only echo -secs 4  # one part, for longer
package main
