package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/testenv"
)

// oddNames are names that tools get wrong; the value is whether S3 can have
// them, whose keys are UTF-8.
var oddNames = map[string]bool{
	"plain": true, "with space": true, " lead and trail ": true, "new\nline": true, "tab\there": true,
	"hash#query?percent%41": true, "a+b&c=d;e": true, "star*[x]{y}": true, `back\slash`: true, "quote'\"": true,
	"dash - -": true, "ünïcödé": true, "not\xffutf8": false,
	strings.Repeat("d/", 0) + deep(): true,
}

// deep is a key of 1,024 bytes, in parts that a file system takes.
func deep() string {
	part := strings.Repeat("k", 200)
	key := strings.Join([]string{part, part, part, part, part}, "/")
	return key + strings.Repeat("z", 1024-len(key))
}

func TestOddNames(t *testing.T) {
	dir := t.TempDir()
	for name := range oddNames {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("local", func(t *testing.T) {
		to := t.TempDir()
		leat(t, 0, nil, "cp", "-R", dir+"/", to+"/")
		survive(t, nil, to+"/", dir, func(string) bool { return true })
	})
	t.Run("s3", func(t *testing.T) {
		s3 := testenv.S3(t)
		url := "s3://" + s3.Bucket(t) + "/"
		// The name that S3 cannot have is refused, the others arrive.
		_, stderr := leat(t, 3, s3.Env(), "cp", "-R", dir+"/", url)
		if !strings.Contains(stderr, "UTF-8") {
			t.Errorf("the refusal does not say why: %s", stderr)
		}
		survive(t, s3.Env(), url, dir, func(name string) bool { return oddNames[name] })
	})
}

// survive checks that ls, map and cp see every name below url as it is.
func survive(t *testing.T, env []string, url, src string, has func(string) bool) {
	t.Helper()
	var want []string
	for name := range oddNames {
		if has(name) {
			want = append(want, name)
		}
	}
	slices.Sort(want)

	out, _ := leat(t, 0, env, "find", "--type", "f", "--null", url)
	got := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	for i := range got {
		got[i] = strings.TrimPrefix(got[i], url)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("find: %q, want %q", got, want)
	}

	// The content of each object is its name: the result of cat must be
	// what the name says.
	out, _ = leat(t, 0, env, "map", "--json", url+"**", "--", "cat")
	seen := 0
	for _, line := range fields(out) {
		var r struct {
			Name      string
			NameB64   []byte `json:"name_b64"`
			Result    *string
			ResultB64 []byte `json:"result_b64"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Result == nil && r.ResultB64 == nil {
			continue // the summary
		}
		seen++
		name, value := r.Name, string(r.ResultB64)
		if r.NameB64 != nil {
			name = string(r.NameB64)
		}
		if r.Result != nil {
			value = *r.Result
		}
		if !strings.HasSuffix(name, value) || !has(value) {
			t.Errorf("map: %q has %q", name, value)
		}
	}
	if seen != len(want) {
		t.Errorf("map: %d results, want %d", seen, len(want))
	}

	back := t.TempDir()
	leat(t, 0, env, "cp", "-R", url, back+"/")
	for _, name := range want {
		data, err := os.ReadFile(filepath.Join(back, name))
		if err != nil || string(data) != name {
			t.Errorf("cp: %q has %q, %v", name, data, err)
		}
	}
}
