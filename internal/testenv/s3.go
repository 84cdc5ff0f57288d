package testenv

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// versitygw is the package of the S3 server, pinned in tools/go.mod.
const versitygw = "github.com/versity/versitygw/cmd/versitygw"

// An S3Server is a running S3 server. It takes buckets as folders in Dir.
type S3Server struct {
	// Endpoint is its URL, without a trailing slash.
	Endpoint string
	// AccessKey and SecretKey are the credentials of its owner.
	AccessKey, SecretKey string
	// Region is the region that requests are signed for.
	Region string
	// Dir is the folder whose sub-folders are the buckets.
	Dir string
}

// shared is the S3 server of this test process, started on first use.
var shared struct {
	sync.Mutex
	server *S3Server
	proc   *process
	dir    string
	err    error
	tried  bool
}

// S3 returns the S3 server of this test process and starts it when it is the
// first to ask. The package's TestMain must call [Main], which ends it.
func S3(t testing.TB) *S3Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.tried {
		shared.tried = true
		shared.err = startS3()
	}
	var build buildError
	if errors.As(shared.err, &build) {
		missing(t, "the S3 server for tests cannot be built: %v", shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Bucket makes an empty bucket with a name of its own and removes it, with
// all that is in it, when the test ends.
func (s *S3Server) Bucket(t testing.TB) string {
	t.Helper()
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	name := "test-" + hex.EncodeToString(b[:])
	dir := filepath.Join(s.Dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return name
}

// Env returns the environment variables that point the usual S3 tools, and
// leat, at the server, as "NAME=value".
func (s *S3Server) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + s.Endpoint,
		"AWS_ACCESS_KEY_ID=" + s.AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + s.SecretKey,
		"AWS_REGION=" + s.Region,
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

func startS3() error {
	bin, err := versitygwBinary()
	if err != nil {
		return err
	}
	addr, err := freePort()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "leat-s3-")
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	s := &S3Server{
		Endpoint: "http://" + addr, Region: "us-east-1", Dir: data,
		AccessKey: "leat-test", SecretKey: "leat-test-secret",
	}
	if err := os.Mkdir(data, 0o755); err != nil {
		return err
	}
	proc, err := start(addr, filepath.Join(dir, "out.log"), bin,
		"--port", addr, "--access", s.AccessKey, "--secret", s.SecretKey,
		"--region", s.Region, "--keep-alive", "--quiet", "posix", data)
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	shared.server, shared.proc, shared.dir = s, proc, dir
	return nil
}

// stopShared ends the S3 server of this process, if there is one.
func stopShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.proc == nil {
		return nil
	}
	shared.proc.stop()
	shared.proc, shared.server, shared.tried = nil, nil, false
	return os.RemoveAll(shared.dir)
}

// A buildError says that the server's binary cannot be had, as on a machine
// without a network.
type buildError struct{ error }

// versitygwBinary returns the server's binary, building it first where the
// cache has none of the pinned version. Processes that build at the same
// time wait for each other.
func versitygwBinary() (string, error) {
	modfile, err := toolsModfile()
	if err != nil {
		return "", err
	}
	version, err := pinned(modfile, "github.com/versity/versitygw")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "leat-test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "versitygw-"+version)
	unlock, err := lockFile(bin + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	// A name of its own until it is whole: a killed build leaves no stump.
	tmp := bin + ".new"
	cmd := exec.Command("go", "build", "-modfile="+modfile, "-o", tmp, versitygw)
	cmd.Dir = filepath.Dir(filepath.Dir(modfile))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", buildError{fmt.Errorf("go build %s: %w\n%s", versitygw, err, out)}
	}
	return bin, os.Rename(tmp, bin)
}

// toolsModfile finds tools/go.mod of this source tree.
func toolsModfile() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("the source tree cannot be found")
	}
	modfile := filepath.Join(filepath.Dir(file), "..", "..", "tools", "go.mod")
	if _, err := os.Stat(modfile); err != nil {
		return "", err
	}
	return filepath.Abs(modfile)
}

// pinned returns the version of a module that modfile requires.
func pinned(modfile, module string) (string, error) {
	b, err := os.ReadFile(modfile)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(f) >= 2 && f[0] == module {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("%s does not require %s", modfile, module)
}

// lockFile takes an exclusive lock between processes.
func lockFile(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
