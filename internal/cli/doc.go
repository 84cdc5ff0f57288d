// Package cli is the command line of leat.
//
// # Model
//
// [Main] is the whole program but for os.Exit. An [App] carries what every
// command shares: streams, the mux of file systems, global flags. A command
// is one file with an options struct, a constructor that declares flags and
// parses, and a run method that works. What a command returns as an error
// becomes an exit code and a message in one place, exit.go and report.go.
//
// # Rules
//
// Results go to standard output, everything else to standard error as
// "leat: …", lower case and without a full stop; a last line "leat: hint: …"
// says what to do. Columns, colour and progress are for terminals; a pipe
// gets one record a line, tab-separated, with RFC 3339 times. Any line that
// reports an error makes the exit code non-zero. Nothing prompts. An App
// runs one command; only its streams are safe for concurrent use.
//
// # Example
//
//	func main() { os.Exit(cli.Main()) }
package cli
