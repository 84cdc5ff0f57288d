package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 3 && (os.Args[1] == "serve" || os.Args[1] == "load") {
		child(os.Args[1], os.Args[2])
		return
	}
	only := flag.String("only", "echo,idle,busy", "the `parts` to run")
	secs := flag.Float64("secs", 2, "how long each run is, in `seconds`")
	rounds := flag.Int("rounds", 3, "how many runs the medians are of")
	flag.StringVar(&nice, "nice", "0", "the `priority` of server and load, -20 to 19, against other programs; below 0 needs root")
	flag.Parse()
	for _, part := range strings.Split(*only, ",") {
		if err := run(part, time.Duration(*secs*float64(time.Second)), *rounds); err != nil {
			fmt.Fprintln(os.Stderr, "bench/loop:", err)
			os.Exit(1)
		}
	}
}

func child(what, arg string) {
	_ = os.WriteFile("/proc/self/autogroup", []byte(os.Getenv(niceEnv)), 0) // not there, not needed
	err := fmt.Errorf("no server %q", arg)
	if what == "load" {
		err = runLoad(arg)
	} else if serve := servers[arg]; serve != nil {
		err = serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/loop:", what, arg, err)
		os.Exit(1)
	}
}

func run(part string, d time.Duration, rounds int) error {
	switch part {
	case "echo":
		header("TCP echo of 1 KiB, one processor each side", "server", "connections", "requests/s", "p50", "p99", "CPU µs/request")
		for _, conns := range []int{50, 1000} {
			load := Load{Conns: conns, Bytes: 1024, Warm: d / 4, For: d}
			if err := table(load, rounds, "leat", "leat-coroutine", "gnet", "go-net"); err != nil {
				return err
			}
		}
	case "busy":
		header("Echo of 20 connections, 100 messages a second each, beside 4 jobs that compute; one processor",
			"server", "connections", "requests/s", "p50", "p99", "CPU µs/request")
		load := Load{Conns: 20, Bytes: 64, Warm: d / 4, For: d, Every: 10 * time.Millisecond}
		return table(load, rounds, "leat", "leat+idle-5ms", "leat+yield", "go-net", "go-net+spinning")
	case "idle":
		header("Memory of idle connections, each used once", "server", "connections", "resident before", "with", "KB/connection")
		for _, name := range []string{"leat", "leat-coroutine", "gnet", "go-net"} {
			if err := idle(name, 9000); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("no part %q; there are echo, idle, busy", part)
	}
	return nil
}

func header(title string, columns ...string) {
	if title != "" {
		info, _ := debug.ReadBuildInfo()
		var gnet string
		for _, m := range info.Deps {
			if strings.Contains(m.Path, "gnet") {
				gnet = m.Version
			}
		}
		fmt.Printf("\n## %s\n\n%s, gnet %s, %d processors\n\n", title, runtime.Version(), gnet, runtime.NumCPU())
	}
	fmt.Println("| " + strings.Join(columns, " | ") + " |")
	fmt.Println("|" + strings.Repeat("---|", len(columns)))
}

// A sample is one run.
type sample struct {
	Report
	cpu time.Duration // of the server, for a request
}

func table(load Load, rounds int, names ...string) error {
	all := map[string][]sample{}
	for range rounds { // in turns, so that a slow minute hits all
		for _, name := range names {
			s, err := measure(name, load)
			if err != nil {
				return err
			}
			all[name] = append(all[name], s)
		}
	}
	for _, name := range names {
		s := all[name]
		fmt.Printf("| %s | %d | %.0f | %v | %v | %.2f |\n", name, load.Conns,
			median(s, func(s sample) float64 { return float64(s.Requests) / s.Seconds }),
			time.Duration(median(s, func(s sample) float64 { return float64(s.P50) })).Round(time.Microsecond),
			time.Duration(median(s, func(s sample) float64 { return float64(s.P99) })).Round(time.Microsecond),
			median(s, func(s sample) float64 { return float64(s.cpu) / 1000 }))
	}
	return nil
}

func median(list []sample, of func(sample) float64) float64 {
	var v []float64
	for _, s := range list {
		v = append(v, of(s))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

var nice string

// niceEnv tells a child its priority: Linux applies that of a process within
// its session only, and has another one for sessions.
const niceEnv = "BENCH_NICE"

// pinned returns a command that runs this program on one processor.
func pinned(cpu string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("nice", append([]string{"-n", nice, "taskset", "-c", cpu, self}, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", niceEnv+"="+nice)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a group of its own for the scheduler
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// A server is one that runs on the first processor.
type server struct {
	cmd  *exec.Cmd
	addr string
}

func start(name string) (*server, error) {
	cmd, err := pinned("0", "serve", name)
	if err != nil {
		return nil, err
	}
	s := &server{cmd: cmd}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() { // gnet logs there, too
		if at, ok := strings.CutPrefix(lines.Text(), "at "); ok {
			s.addr = at
			return s, nil
		}
	}
	s.stop()
	return nil, fmt.Errorf("server %s ended: %v", name, lines.Err())
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// cpu returns the processor time that the server has used.
func (s *server) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] { // user and system time, in 1/100 s
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// resident returns the memory of the server in KB.
func (s *server) resident() (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	return strconv.Atoi(strings.Fields(after)[0])
}

func loadCommand(load Load) (*exec.Cmd, error) {
	arg, err := json.Marshal(load)
	if err != nil {
		return nil, err
	}
	return pinned("1", "load", string(arg))
}

func measure(name string, load Load) (sample, error) {
	s, err := start(name)
	if err != nil {
		return sample{}, err
	}
	defer s.stop()
	load.Addr = s.addr
	cmd, err := loadCommand(load)
	if err != nil {
		return sample{}, err
	}
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	out, err := cmd.Output()
	if err != nil {
		return sample{}, fmt.Errorf("load on %s: %w", name, err)
	}
	after, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	var r Report
	if err := json.Unmarshal(out, &r); err != nil {
		return sample{}, err
	}
	// The warm-up counts in the processor time, so it does in the requests.
	served := float64(r.Requests) * (load.Warm + load.For).Seconds() / load.For.Seconds()
	return sample{r, time.Duration(float64(after-before) / max(served, 1))}, nil
}

// idle measures the memory of connections that do nothing.
func idle(name string, conns int) error {
	s, err := start(name)
	if err != nil {
		return err
	}
	defer s.stop()
	before, err := s.resident()
	if err != nil {
		return err
	}
	cmd, err := loadCommand(Load{Addr: s.addr, Conns: conns, Bytes: 1024, Hold: true})
	if err != nil {
		return err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = stdin.Close(); _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() }()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return fmt.Errorf("load on %s: %w", name, err)
	}
	after, err := s.resident()
	if err != nil {
		return err
	}
	fmt.Printf("| %s | %d | %.1f MB | %.1f MB | %.2f |\n", name, conns, float64(before)/1024, float64(after)/1024, float64(after-before)/float64(conns))
	return nil
}
