package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A variant is a tool with a concurrency.
type variant struct {
	tool string
	jobs int
}

// A sample is what one run cost.
type sample struct {
	wall, cpu time.Duration
	rssMB     int64
}

// variants returns all pairs, tools in turn for each concurrency.
func variants(o options) []variant {
	var all []variant
	for _, j := range o.jobs {
		for _, t := range o.tools {
			all = append(all, variant{t, j})
		}
	}
	return all
}

// defaultTools returns the tools that can do an operation.
func defaultTools(op string) []string {
	tools := map[string][]string{
		"get": {"raw", "leat-cat", "leat-cp", "s5cmd-cp"}, "put": {"raw", "leat", "s5cmd"},
		"delete": {"raw", "leat", "s5cmd"}, "copy": {"leat", "s5cmd"}, "list": {"leat", "s5cmd"},
	}[op]
	if _, err := exec.LookPath("rclone"); err == nil && tools != nil {
		tools = append(tools, "rclone")
	}
	return tools
}

// command returns the command line of a variant.
func (b *bed) command(o options, v variant) ([]string, error) {
	jobs, all := strconv.Itoa(v.jobs), "s3://"+buckets[o.op]
	if v.tool == "raw" && rawMethods[o.op] != "" {
		return []string{b.bins["raw"], "-raw-endpoint", b.endpoint, "-raw-jobs", jobs, "-op", o.op,
			"-objects", strconv.Itoa(o.objects), "-size", strconv.Itoa(o.size)}, nil
	}
	leat, s5cmd := []string{b.bins["leat"]}, []string{b.bins["s5cmd"], "--endpoint-url", b.endpoint, "--numworkers", jobs, "--log", "error"}
	args := map[string][]string{
		"leat-cat get":  append(leat, "cat", "-j", jobs, all+"/**"),
		"leat-cp get":   append(leat, "cp", "-q", "-j", jobs, all+"/**", b.scratch+"/"),
		"s5cmd-cat get": append(s5cmd, "cat", all+"/*"),
		"s5cmd-cp get":  append(s5cmd, "cp", all+"/*", b.scratch+"/"),
		"leat put":      append(leat, "cp", "-q", "-R", "-j", jobs, b.files+"/", all+"/"),
		"s5cmd put":     append(s5cmd, "cp", b.files+"/", all+"/"),
		"leat delete":   append(leat, "rm", "-q", "-j", jobs, "--max-delete", "-1", all+"/**"),
		"s5cmd delete":  append(s5cmd, "rm", all+"/*"),
		"leat copy":     append(leat, "cp", "-q", "-j", jobs, "s3://"+source+"/**", all+"/"),
		"s5cmd copy":    append(s5cmd, "cp", "s3://"+source+"/*", all+"/"),
		"leat list":     append(leat, "find", all),
		"s5cmd list":    []string{b.bins["s5cmd"], "--endpoint-url", b.endpoint, "--numworkers", jobs, "ls", all + "/*"},
		"rclone get":    b.rclone(jobs, "copy", remote(o.op), b.scratch),
		"rclone put":    b.rclone(jobs, "copy", b.files, remote(o.op)),
		"rclone delete": b.rclone(jobs, "delete", remote(o.op)),
		"rclone copy":   b.rclone(jobs, "copy", remote("get"), remote(o.op)),
		"rclone list":   b.rclone(jobs, "lsf", "-R", remote(o.op)),
	}[v.tool+" "+o.op]
	if args == nil {
		return nil, fmt.Errorf("unknown tool %q for %s: want some of %s", v.tool, o.op, strings.Join(defaultTools(o.op), ","))
	}
	return args, nil
}

// remote is how rclone names a bucket.
func remote(op string) string { return ":s3:" + buckets[op] }

// rclone returns a command line of rclone, which reads no configuration.
func (b *bed) rclone(jobs string, args ...string) []string {
	return append([]string{"rclone", "--config", os.DevNull, "--s3-provider", "Other", "--s3-env-auth", "--s3-endpoint", b.endpoint,
		"--s3-no-check-bucket", "--transfers", jobs, "--checkers", jobs}, args...)
}

// measure runs a variant once and checks how much it read.
func (b *bed) measure(ctx context.Context, o options, v variant) (sample, error) {
	args, err := b.command(o, v)
	if err != nil {
		return sample{}, err
	}
	if err := b.ready(o); err != nil {
		return sample{}, err
	}
	var out sink
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = environ(b.endpoint)
	cmd.Stdout, cmd.Stderr = &out, &stderr
	began := time.Now()
	err = cmd.Run()
	s := sample{wall: time.Since(began)}
	if err != nil {
		return s, fmt.Errorf("%w: %.1000s", err, stderr.Bytes())
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s.rssMB = maxRSS(cmd.ProcessState)
	return s, b.check(o, v, &out)
}

// check compares what was done with what was asked.
func (b *bed) check(o options, v variant, out *sink) error {
	dir, want := b.scratch, o.objects
	switch {
	case o.op == "list":
		if out.lines != int64(o.objects) {
			return fmt.Errorf("listed %d objects of %d", out.lines, o.objects)
		}
		return nil
	case o.op == "get" && (v.tool == "raw" || strings.HasSuffix(v.tool, "-cat")):
		if want := int64(o.objects) * int64(o.size); out.bytes != want {
			return fmt.Errorf("read %d bytes of %d", out.bytes, want)
		}
		return nil
	case o.op == "delete":
		dir, want = b.bucket(o.op), 0
	case o.op != "get":
		dir = b.bucket(o.op)
	}
	files, err := filepath.Glob(filepath.Join(dir, "object-*"))
	if err == nil && len(files) != want {
		err = fmt.Errorf("%d objects are there, want %d", len(files), want)
	}
	return err
}

// A sink counts what is written to it.
type sink struct{ bytes, lines int64 }

// Write never fails.
func (s *sink) Write(p []byte) (int, error) {
	s.bytes += int64(len(p))
	s.lines += int64(bytes.Count(p, []byte("\n")))
	return len(p), nil
}
