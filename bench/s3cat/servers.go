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
	bucket    = "objects"
)

// A bed is what the tools are tried on.
type bed struct {
	bins     map[string]string // tool to program
	endpoint string            // of the relay
	scratch  string            // folder for copies, in memory where there is one
	procs    []*exec.Cmd
}

// prepare builds and starts everything and uploads the objects.
func prepare(ctx context.Context, o options, dir string) (*bed, error) {
	b := &bed{bins: map[string]string{}, scratch: filepath.Join(dir, "copies")}
	if mem, err := os.MkdirTemp("/dev/shm", "leat-s3cat-"); err == nil {
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
		{"raw", "", "./bench/s3cat"},
		{"leat", "", "./cmd/leat"},
	} {
		if p.name == "leat" && !wants(o, "leat-cat") && !wants(o, "leat-cp") {
			continue
		}
		bin, err := build(ctx, dir, p.modfile, p.pkg)
		if err != nil {
			return err
		}
		b.bins[p.name] = bin
	}
	server, err := b.startServer(ctx, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	relay, err := b.startRelay(ctx, server, o.delay)
	if err != nil {
		return err
	}
	b.endpoint = "http://" + relay
	return b.upload(ctx, o, "http://"+server, filepath.Join(dir, "objects"))
}

// startServer starts the S3 server on a free port and waits until it answers.
func (b *bed) startServer(ctx context.Context, data string) (addr string, err error) {
	if err := os.MkdirAll(filepath.Join(data, bucket), 0o755); err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr = l.Addr().String()
	l.Close()
	cmd := exec.CommandContext(ctx, b.bins["versitygw"], "--port", addr, "--access", accessKey, "--secret", secretKey,
		"--region", region, "--keep-alive", "--quiet", "posix", data)
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

// upload makes the objects and stores them, past the relay.
func (b *bed) upload(ctx context.Context, o options, endpoint, dir string) error {
	fmt.Fprintln(os.Stderr, "uploading")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range o.objects {
		line := []byte(key(i) + "\n")
		body := make([]byte, 0, o.size+len(line))
		for len(body) < o.size {
			body = append(body, line...)
		}
		if err := os.WriteFile(filepath.Join(dir, key(i)), body[:o.size], 0o644); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, b.bins["s5cmd"], "--endpoint-url", endpoint, "--log", "error",
		"cp", dir+"/", "s3://"+bucket+"/")
	cmd.Env = environ(endpoint)
	cmd.Stderr = os.Stderr
	return cmd.Run()
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
