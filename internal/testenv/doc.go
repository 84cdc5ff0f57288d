// Package testenv starts the real servers that tests run against: an S3
// server, nginx, OpenSSH, and Go's own file server.
//
// # Model
//
// Every server listens on a free loopback port, keeps its files in a
// temporary folder and ends with the test that started it, or with the test
// process. [S3] starts one server per test process and hands out buckets of
// their own; the binary is built once, from the module file in tools, into
// the user's cache folder.
//
// # Rules
//
// Nothing is installed. Where a tool is missing the test is skipped with a
// message that says how to get it; with the environment variable CI set it
// fails instead, so that a gate cannot turn green by skipping. A package
// that uses [S3], [Nginx] or [SFTP] calls [Main] from its TestMain. All functions
// are safe for concurrent use.
//
// # Example
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
//	func TestRead(t *testing.T) {
//		s := testenv.S3(t)
//		bucket := s.Bucket(t)
//		…
//	}
package testenv
