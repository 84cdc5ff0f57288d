package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
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

// wants reports whether a tool is to be compared.
func wants(o options, tool string) bool { return slices.Contains(o.tools, tool) }

// command returns the command line of a variant.
func (b *bed) command(o options, v variant) ([]string, error) {
	jobs := strconv.Itoa(v.jobs)
	s5cmd := []string{b.bins["s5cmd"], "--endpoint-url", b.endpoint, "--numworkers", jobs, "--log", "error"}
	switch v.tool {
	case "raw":
		return []string{b.bins["raw"], "-raw-endpoint", b.endpoint, "-raw-jobs", jobs, "-objects", strconv.Itoa(o.objects)}, nil
	case "leat-cat":
		return []string{b.bins["leat"], "cat", "-j", jobs, "s3://" + bucket + "/**"}, nil
	case "leat-cp":
		return []string{b.bins["leat"], "cp", "-q", "-j", jobs, "s3://" + bucket + "/**", b.scratch + "/"}, nil
	case "s5cmd-cat":
		return append(s5cmd, "cat", "s3://"+bucket+"/*"), nil
	case "s5cmd-cp":
		return append(s5cmd, "cp", "s3://"+bucket+"/*", b.scratch+"/"), nil
	}
	return nil, fmt.Errorf("unknown tool %q: want raw, leat-cat, leat-cp, s5cmd-cat or s5cmd-cp", v.tool)
}

// measure runs a variant once and checks how much it read.
func (b *bed) measure(ctx context.Context, o options, v variant) (sample, error) {
	args, err := b.command(o, v)
	if err != nil {
		return sample{}, err
	}
	if err := os.RemoveAll(b.scratch); err != nil {
		return sample{}, err
	}
	if err := os.MkdirAll(b.scratch, 0o755); err != nil {
		return sample{}, err
	}
	var sink counter
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = environ(b.endpoint)
	cmd.Stdout, cmd.Stderr = &sink, &stderr
	began := time.Now()
	err = cmd.Run()
	s := sample{wall: time.Since(began)}
	if err != nil {
		return s, fmt.Errorf("%w: %.1000s", err, stderr.Bytes())
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s.rssMB = maxRSS(cmd.ProcessState)
	return s, b.check(o, v, int64(sink))
}

// check compares what was read with what is there.
func (b *bed) check(o options, v variant, printed int64) error {
	want := int64(o.objects) * int64(o.size)
	if !strings.HasSuffix(v.tool, "-cp") {
		if printed != want {
			return fmt.Errorf("read %d bytes of %d", printed, want)
		}
		return nil
	}
	files, err := os.ReadDir(b.scratch)
	if err == nil && len(files) != o.objects {
		err = fmt.Errorf("copied %d objects of %d", len(files), o.objects)
	}
	return err
}

// A counter counts what is written to it.
type counter int64

// Write never fails.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
