// Package e2e tests the whole program as processes: what a user types, what
// comes out, what is left behind.
//
// # Model
//
// The test binary is the program: started with LEAT_E2E set it runs the
// command line instead of the tests. So tests need no build step, and -race
// covers the processes too.
//
// # Rules
//
// Servers and processes listen on loopback with free ports and end with the
// test that started them; each test checks that none is left. Nothing waits
// by sleeping: tests read what processes say, or poll with a deadline.
package e2e
