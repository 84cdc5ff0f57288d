package cli_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/leat-dev/leat/internal/cli"
	"github.com/leat-dev/leat/internal/testenv"
)

// TestMain makes the test binary stand in for leat when it is called by that
// name.
func TestMain(m *testing.M) {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == "leat" {
		os.Exit(cli.Main())
	}
	testenv.Main(m)
}

func TestScripts(t *testing.T) {
	runScripts(t, "testdata/script", nil)
}

// TestS3Scripts runs the commands on a real S3 server. Each script has an
// empty bucket, $BUCKET.
func TestS3Scripts(t *testing.T) {
	s3 := testenv.S3(t)
	runScripts(t, "testdata/s3", func(e *testscript.Env) error {
		e.Vars = append(e.Vars, s3.Env()...)
		e.Setenv("BUCKET", "s3://"+s3.Bucket(e.T().(testing.TB)))
		return nil
	})
}

// runScripts runs the scripts of a directory with leat in their path.
func runScripts(t *testing.T, dir string, setup func(*testscript.Env) error) {
	bin := leatBinary(t)
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(bin)+string(filepath.ListSeparator)+e.Getenv("PATH"))
			if setup != nil {
				return setup(e)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": codeCmd, "odd": oddCmd, "fill": fillCmd, "same": sameCmd,
		},
	})
}

// leatBinary returns the name of a program that is leat: the test binary
// itself under another name.
func leatBinary(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "leat")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	if os.Link(self, bin) == nil {
		return bin
	}
	from, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(bin, os.O_WRONLY|os.O_CREATE, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.Copy(to, from); err == nil {
		err = to.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// codeCmd is "code N PROGRAM [ARG...]": the program ends with exit code N.
func codeCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// oddNames are names that a program easily gets wrong.
var oddNames = []string{
	" lead", "#hash", "%41", "a b", "a\nb", "a\tb", "a\xffb", "back\\slash", "glob[1]*", "q?x=1", "ünï", "-R",
	strings.Repeat("d/", 50) + strings.Repeat("k", 200),
}

// oddCmd is "odd DIR [utf8]": files with odd names, each with its name as
// content; with utf8 only those whose names are text.
func oddCmd(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range oddNames {
		if len(args) > 1 && !utf8.ValidString(name) {
			continue
		}
		file := filepath.Join(ts.MkAbs(args[0]), name)
		ts.Check(os.MkdirAll(filepath.Dir(file), 0o700))
		ts.Check(os.WriteFile(file, []byte(name), 0o600))
	}
}

// fillCmd is "fill DIR N": N files, 0000 and so on, each with its number and
// a line feed as content.
func fillCmd(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	for i := range n {
		name := strconv.Itoa(10000 + i)[1:]
		ts.Check(os.WriteFile(filepath.Join(dir, name), []byte(name+"\n"), 0o600))
	}
}

// sameCmd is "same DIR DIR": the trees hold the same files.
func sameCmd(ts *testscript.TestScript, neg bool, args []string) {
	trees := [2]map[string]string{{}, {}}
	for i, tree := range trees {
		root := ts.MkAbs(args[i])
		ts.Check(filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			tree[strings.TrimPrefix(path, root)] = string(data)
			return err
		}))
	}
	for name, data := range trees[0] {
		if got, ok := trees[1][name]; !ok || got != data {
			ts.Fatalf("%q: there %v, same content %v", name, ok, got == data)
		}
	}
	if len(trees[0]) != len(trees[1]) || len(trees[0]) == 0 {
		ts.Fatalf("%d files and %d", len(trees[0]), len(trees[1]))
	}
}
