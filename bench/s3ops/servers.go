package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The credentials and the bucket of the server, which only loopback reaches.
const (
	accessKey = "leatbench"
	secretKey = "leatbench-secret"
	region    = "us-east-1"
	source    = "objects" // the bucket with the objects that are read
)

// buckets says which bucket each operation works on: folders of the server.
var buckets = map[string]string{"get": source, "put": "put", "delete": "del", "copy": "copied", "list": "list"}

// A bed is what the tools are tried on.
type bed struct {
	bins     map[string]string // tool to program
	endpoint string            // of the relay
	scratch  string            // folder for copies, in memory where there is one
	data     string            // folder of the server: one for each bucket
	files    string            // folder with the objects as files
	procs    []*exec.Cmd
}

// prepare builds and starts everything and uploads the objects.
func prepare(ctx context.Context, o options, dir string) (*bed, error) {
	b := &bed{bins: map[string]string{}, scratch: filepath.Join(dir, "copies")}
	if mem, err := os.MkdirTemp("/dev/shm", "leat-s3ops-"); err == nil {
		b.scratch = mem
	}
	if err := b.fill(ctx, o, dir); err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

// fill does the steps of prepare.
func (b *bed) fill(ctx context.Context, o options, dir string) error {
	const tools = "tools/go.mod"
	for _, p := range []struct{ name, modfile, pkg string }{
		{"versitygw", tools, "github.com/versity/versitygw/cmd/versitygw"},
		{"s5cmd", tools, "github.com/peak/s5cmd/v2"},
		{"delay", "", "./bench/delay"},
		{"raw", "", "./bench/s3ops"},
		{"leat", "", "./cmd/leat"},
	} {
		bin, err := build(ctx, dir, p.modfile, p.pkg)
		if err != nil {
			return err
		}
		b.bins[p.name] = bin
	}
	b.data, b.files = filepath.Join(dir, "data"), filepath.Join(dir, "objects")
	server, err := b.startServer(ctx)
	if err != nil {
		return err
	}
	relay, err := b.startRelay(ctx, server, o.delay)
	if err != nil {
		return err
	}
	b.endpoint = "http://" + relay
	return b.upload(ctx, o, "http://"+server)
}

// startServer starts the S3 server on a free port and waits until it answers.
func (b *bed) startServer(ctx context.Context) (addr string, err error) {
	for _, bucket := range buckets {
		if err := os.MkdirAll(filepath.Join(b.data, bucket), 0o755); err != nil {
			return "", err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr = l.Addr().String()
	l.Close()
	cmd := exec.CommandContext(ctx, b.bins["versitygw"], "--port", addr, "--access", accessKey, "--secret", secretKey,
		"--region", region, "--keep-alive", "--quiet", "posix", b.data)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", err
	}
	b.procs = append(b.procs, cmd)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			return addr, c.Close()
		}
	}
	return "", fmt.Errorf("the S3 server does not answer at %s", addr)
}

// startRelay starts the delay relay and reads where it listens.
func (b *bed) startRelay(ctx context.Context, to string, delay time.Duration) (addr string, err error) {
	cmd := exec.CommandContext(ctx, b.bins["delay"], "-to", to, "-delay", delay.String())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	b.procs = append(b.procs, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(line), err
}

// key is the name of object i.
func key(i int) string { return fmt.Sprintf("object-%06d", i) }

// content returns the bytes of object i.
func content(i, size int) []byte {
	line := []byte(key(i) + "\n")
	body := make([]byte, 0, size+len(line))
	for len(body) < size {
		body = append(body, line...)
	}
	return body[:size]
}

// write makes all objects as files of a folder, which is emptied first.
func write(o options, dir string) error {
	if err := empty(dir); err != nil {
		return err
	}
	for i := range o.objects {
		if err := os.WriteFile(filepath.Join(dir, key(i)), content(i, o.size), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// empty makes dir a folder without objects. The folder of a bucket itself
// stays: the server keeps what it knows of the bucket with it.
func empty(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	names, err := os.ReadDir(dir)
	for _, n := range names {
		if err == nil && !strings.HasPrefix(n.Name(), ".") { // the server's own
			err = os.RemoveAll(filepath.Join(dir, n.Name()))
		}
	}
	return err
}

// upload makes the objects and stores those that are read, past the relay.
func (b *bed) upload(ctx context.Context, o options, endpoint string) error {
	fmt.Fprintln(os.Stderr, "making objects")
	if err := write(o, b.files); err != nil {
		return err
	}
	if o.op == "list" {
		return write(o, b.bucket("list"))
	}
	if o.op != "get" && o.op != "copy" {
		return nil
	}
	cmd := exec.CommandContext(ctx, b.bins["s5cmd"], "--endpoint-url", endpoint, "--log", "error",
		"cp", b.files+"/", "s3://"+source+"/")
	cmd.Env = environ(endpoint)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// bucket returns the folder of the bucket that an operation works on.
func (b *bed) bucket(op string) string { return filepath.Join(b.data, buckets[op]) }

// ready brings everything into the state before a run.
func (b *bed) ready(o options) error {
	switch o.op {
	case "put", "copy":
		return empty(b.bucket(o.op))
	case "delete":
		return write(o, b.bucket(o.op))
	}
	return empty(b.scratch)
}

// environ returns the environment of a tool; no configuration of the user
// reaches it.
func environ(endpoint string) []string {
	return append(os.Environ(),
		"AWS_ENDPOINT_URL="+endpoint, "AWS_REGION="+region, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey, "AWS_SESSION_TOKEN=", "AWS_PROFILE=",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
}

// stop ends the servers, last started first, and removes the copies.
func (b *bed) stop() {
	for i := len(b.procs) - 1; i >= 0; i-- {
		_ = b.procs[i].Process.Kill()
		_ = b.procs[i].Wait()
	}
	_ = os.RemoveAll(b.scratch)
}
