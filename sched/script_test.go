package sched_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/sched"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect")

// TestScripts runs testdata/*.txt. A script is a list of steps; a step is one
// line that says what happens, then a line "----", then the effects, one a
// line. Lines that begin with # are comments. Run with -update to rewrite the
// effects, then read the difference.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts: ", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("%s: effects differ (run with -update and read the difference); got:\n%s", file, got)
			}
		})
	}
}

// script drives one machine.
type script struct {
	t    *testing.T
	m    *sched.Machine
	now  int64
	nums map[string]uint64
	seq  uint64
}

func runScript(t *testing.T, text string) string {
	s := &script{t: t, m: sched.NewMachine(nil), nums: map[string]uint64{}}
	var out strings.Builder
	expected := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
			expected = false
			fmt.Fprintln(&out)
		case expected:
		case strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
		case line == "----":
			expected = true
		default:
			fmt.Fprintf(&out, "%s\n----\n%s", line, s.do(strings.Fields(line)))
		}
	}
	return out.String()
}

// do carries out one line: VERB WHO [KEY=VALUE|FLAG|RANGE …].
func (s *script) do(f []string) string {
	verb, who := f[0], f[1]
	kv := map[string]string{}
	var set []sched.Range
	for _, a := range f[2:] {
		if from, to, ok := strings.Cut(a, "-"); ok && from[0] <= '9' {
			lo, hi := s.num(from), s.num(to)
			set = append(set, sched.Range{From: lo, N: hi - lo + 1})
			continue
		}
		k, v, _ := strings.Cut(a, "=")
		kv[k] = v
	}
	_, final := kv["final"]
	_, eof := kv["eof"]
	in := sched.Input{}
	peer := true
	switch verb {
	case "join":
		in.Join = &sched.Join{Name: who, Addr: "addr-" + who, Slots: int(s.num(kv["slots"])), Width: int(s.num(kv["width"])), Funcs: []string{"f"}, Exec: true}
	case "hello":
		in.Hello = &sched.Hello{Name: who}
	case "submit":
		_, reduce := kv["reduce"]
		maxErrors := int64(-1)
		if v, ok := kv["max-errors"]; ok {
			maxErrors = int64(s.num(v))
		}
		in.Submit = &sched.Submit{Job: kv["job"], Spec: []byte("spec"), Func: kv["func"], Reduce: reduce, Retries: int(s.num(kv["retries"])), MaxErrors: maxErrors, Batch: int(s.num(kv["batch"]))}
	case "list":
		peer = false
		in.Listed = &sched.Listed{Job: who, Count: int(s.num(kv["n"])), EOF: eof}
		if v, ok := kv["err"]; ok {
			in.Listed.Err = &sched.Problem{Kind: fault.NotExist, Text: v}
		}
	case "done", "fail":
		d := &sched.Done{Job: kv["job"], Lease: s.num(kv["lease"]), Final: final}
		for _, r := range set {
			if verb == "fail" {
				d.Failed = append(d.Failed, sched.Failure{Range: r, Problem: sched.Problem{Kind: fault.UserError, Text: "exit 1"}})
			} else {
				d.Items = append(d.Items, sched.Item{Range: r, Key: kv["key"]})
			}
		}
		if v, ok := kv["partial"]; ok {
			d.Partial = &sched.Partial{Key: v, Size: 10}
		}
		in.Done = d
	case "merged":
		in.Merged = &sched.Merged{Job: kv["job"], Merge: s.num(kv["merge"])}
		if v, ok := kv["missing"]; ok {
			in.Merged.Missing = []string{v}
		} else {
			in.Merged.Partial = &sched.Partial{Key: kv["key"], Size: 20}
		}
	case "ack":
		in.Ack = &sched.Ack{Job: kv["job"], Upto: s.num(kv["upto"])}
	case "cancel":
		in.Cancel = &sched.Cancel{Job: kv["job"]}
	case "forget":
		in.Forget = &sched.Forget{Job: kv["job"]}
	case "fetch-failed":
		in.FetchFailed = &sched.FetchFailed{Job: kv["job"], Key: kv["key"]}
		if len(set) > 0 {
			in.FetchFailed.Range = set[0]
		}
	case "lost", "left":
		peer = false
		in.Lost = &sched.Lost{Session: who, Left: verb == "left"}
	case "epoch":
		peer = false
		in.Epoch = &sched.Epoch{Epoch: s.num(who)}
	case "sleep":
		d, err := time.ParseDuration(who)
		if err != nil {
			s.t.Fatal(err)
		}
		s.now += d.Nanoseconds()
		return ""
	default:
		s.t.Fatalf("unknown verb %q", verb)
	}
	if peer {
		s.nums[who]++
		in.From, in.Num = who, s.nums[who]
	}
	s.seq++
	in.At, in.Ref = s.now, sched.Ref{Seq: s.seq}
	var out bytes.Buffer
	for _, e := range s.m.Step(in) {
		fmt.Fprintln(&out, show(e))
	}
	return out.String()
}

func (s *script) num(v string) uint64 {
	if v == "" {
		return 0
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func showSet(set sched.Set) string {
	var parts []string
	for _, r := range set {
		parts = append(parts, fmt.Sprintf("%d-%d", r.From, r.End()-1))
	}
	return strings.Join(parts, " ")
}

// show prints an effect on one line.
func show(e sched.Effect) string {
	flags := func(s string, on ...any) string {
		for i := 0; i < len(on); i += 2 {
			if on[i+1].(bool) {
				s += " " + on[i].(string)
			}
		}
		return s
	}
	switch {
	case e.Lease != nil:
		return flags(fmt.Sprintf("%s: lease %d %s", e.To, e.Lease.ID, showSet(e.Lease.Set)), "with-spec", e.Lease.Spec != nil)
	case e.Revoke != nil:
		return fmt.Sprintf("%s: revoke %d", e.To, e.Revoke.Lease)
	case e.Merge != nil:
		var src []string
		for _, s := range e.Merge.Sources {
			if s.Addr != "" {
				s.Key += "@" + s.Addr
			}
			src = append(src, s.Key)
		}
		return flags(fmt.Sprintf("%s: merge %d of %s", e.To, e.Merge.ID, strings.Join(src, " ")), "final", e.Merge.Final)
	case e.Free != nil:
		return fmt.Sprintf("%s: free %s", e.To, strings.Join(e.Free.Keys, " "))
	case e.JobEnd != nil:
		return fmt.Sprintf("%s: job-end %s", e.To, e.JobEnd.Job)
	case e.Jobs != nil:
		return fmt.Sprintf("%s: live jobs %v", e.To, e.Jobs.Live)
	case e.Reset != nil:
		return fmt.Sprintf("%s: reset", e.To)
	case e.Deliver != nil:
		s := fmt.Sprintf("%s: deliver %d: %s", e.To, e.Deliver.Num, showSet(e.Deliver.Accepted))
		for _, f := range e.Deliver.Failed {
			s += fmt.Sprintf("; %d: %s", f.Range.From, f.Problem.Text)
		}
		return s
	case e.Notice != nil:
		n := e.Notice
		return flags(fmt.Sprintf("%s: notice %s running=%d folded=%d results=%d", e.To, n.Worker, n.Running, n.Folded, n.Results), "left", n.Left)
	case e.JobDone != nil:
		d := e.JobDone
		s := fmt.Sprintf("%s: job-done listed=%d ok=%d failed=%d redone=%d retried=%d", e.To, d.Listed, d.OK, d.Failed, d.Redone, d.Retried)
		if d.Err != nil {
			s += " err=" + strconv.Quote(d.Err.Text)
		}
		return flags(s, "canceled", d.Canceled, "reduced", d.Reduced)
	case e.Expand != nil:
		return flags(fmt.Sprintf("expand %s from=%d upto=%d", e.Expand.Job, e.Expand.From, e.Expand.Upto), "stop", e.Expand.Stop, "with-spec", e.Expand.Spec != nil)
	case e.Compact != nil:
		return "compact"
	}
	return "empty effect"
}
