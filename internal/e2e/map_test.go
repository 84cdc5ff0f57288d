package e2e_test

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/leat-dev/leat/internal/testenv"
)

// goTree is the source of the Go distribution: real data that every machine
// with Go has.
func goTree(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal("go env GOROOT: ", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(root)), "src")
	if raceEnabled {
		dir = filepath.Join(dir, "net") // the detector multiplies the time; without it the test is whole
	}
	return dir
}

// goFiles returns the names of all regular files that end in ".go" below
// dir. not_a_file.go, which is a directory, is none of them.
func goFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 7000 && !raceEnabled {
		t.Fatalf("only %d files below %s", len(files), dir)
	}
	return files
}

// topWords counts words in plain Go, independently of the program.
func topWords(t *testing.T, files []string, n int) string {
	t.Helper()
	counts := map[string]int{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range strings.FieldsFunc(string(data), func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_'
		}) {
			counts[w]++
		}
	}
	type pair struct {
		word string
		n    int
	}
	var all []pair
	for w, c := range counts {
		all = append(all, pair{w, c})
	}
	slices.SortFunc(all, func(a, b pair) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.word, b.word))
	})
	var out strings.Builder
	for _, p := range all[:n] {
		fmt.Fprintf(&out, "%d\t%s\n", p.n, p.word)
	}
	return out.String()
}

func TestWordcountOfTheGoTree(t *testing.T) {
	dir := goTree(t)
	want := topWords(t, goFiles(t, dir), 20)
	got, _ := leat(t, 0, nil, "map", "--func", "wordcount", "--reduce", "top:20", dir+"/**/*.go")
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// TestCommandOfTheGoTree compares a map of commands with the shell pipeline
// over all files.
func TestCommandOfTheGoTree(t *testing.T) {
	dir := goTree(t)
	pipeline := `LC_ALL=C; export LC_ALL; tr -cs A-Za-z '\n' | sort | uniq -c`
	shell := exec.Command("sh", "-c", `find "$0" -type f -name '*.go' -print0 | sort -z | xargs -0 cat | (`+pipeline+`) | sort -k1,1nr -k2,2 | head -20`, dir)
	shell.Env = append(os.Environ(), "LC_ALL=C")
	out, err := shell.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := squeeze(string(out))
	got, _ := leat(t, 0, nil, "map", "--batch", "100", "--reduce", "top:20", dir+"/**/*.go", "--", "sh", "-c", pipeline)
	if squeeze(got) != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// squeeze makes one space of each run of blanks and cuts them at the ends of
// lines.
func squeeze(text string) string {
	var out strings.Builder
	for _, line := range fields(text) {
		fmt.Fprintln(&out, strings.Join(strings.Fields(line), " "))
	}
	return out.String()
}

// TestWordcountOverS3AndHTTP uploads the tree, and reads it as objects and
// over HTTP.
func TestWordcountOverS3AndHTTP(t *testing.T) {
	dir := goTree(t)
	files := goFiles(t, dir)
	want := topWords(t, files, 20)

	t.Run("http", func(t *testing.T) {
		url := testenv.Nginx(t, dir)
		got, _ := leat(t, 0, nil, "map", "--func", "wordcount", "--reduce", "top:20", strings.TrimSuffix(url, "/")+"/**/*.go")
		if got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
	t.Run("s3", func(t *testing.T) {
		s3 := testenv.S3(t)
		bucket := s3.Bucket(t)
		env := s3.Env()
		leat(t, 0, env, "cp", "-R", dir+"/", "s3://"+bucket+"/go/src/")
		got, _ := leat(t, 0, env, "map", "--func", "wordcount", "--reduce", "top:20", "s3://"+bucket+"/go/src/**/*.go")
		if got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
}
