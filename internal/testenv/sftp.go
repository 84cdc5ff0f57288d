package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// sshdConf lets one key in and serves files. The file names are its port,
// folder, and the lines that the installed version needs.
const sshdConf = `
Port %[2]s
ListenAddress 127.0.0.1
HostKey %[1]s/host_ed25519
PidFile none
AuthorizedKeysFile %[1]s/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
AllowTcpForwarding no
X11Forwarding no
PrintMotd no
PrintLastLog no
UseDNS no
MaxStartups 100
MaxSessions 100
LogLevel ERROR
Subsystem sftp internal-sftp
ForceCommand internal-sftp
`

// An SFTPServer is a running OpenSSH server that lets in the user who runs
// the tests.
type SFTPServer struct {
	// URL is "sftp://user@127.0.0.1:port", without a trailing slash.
	URL string
	// Identity is the file with the private key that is let in.
	Identity string
	// KnownHosts is a file with the server's key.
	KnownHosts string

	proc *process
}

// SFTP starts OpenSSH until the test ends. It serves the whole file system of
// this machine, to the user of this process alone.
func SFTP(t testing.TB) *SFTPServer {
	t.Helper()
	bin, err := findSSHD()
	if err != nil {
		missing(t, "the OpenSSH server is not installed (Debian: apt-get install openssh-server)")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"host_ed25519", "id_ed25519"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", filepath.Join(dir, name)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	if me.Uid == "0" {
		// Where it goes to drop its rights. Debian's start script makes it.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	addr, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	port := addr[strings.LastIndexByte(addr, ':')+1:]
	s := &SFTPServer{
		URL: "sftp://" + me.Username + "@" + addr, Identity: filepath.Join(dir, "id_ed25519"), KnownHosts: filepath.Join(dir, "known_hosts"),
	}
	host, err1 := os.ReadFile(filepath.Join(dir, "host_ed25519.pub"))
	key, err2 := os.ReadFile(filepath.Join(dir, "id_ed25519.pub"))
	conf := filepath.Join(dir, "sshd_config")
	err = errors.Join(err1, err2,
		os.WriteFile(s.KnownHosts, fmt.Appendf(nil, "[127.0.0.1]:%s %s", port, host), 0o600),
		os.WriteFile(filepath.Join(dir, "authorized_keys"), key, 0o600),
		os.WriteFile(conf, fmt.Appendf(nil, sshdConf, dir, port), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	s.proc, err = start(addr, filepath.Join(dir, "out.log"), bin, "-D", "-e", "-f", conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.proc.stop)
	return s
}

// Stop ends the server before the test does. Connections that are open live
// on until they are closed.
func (s *SFTPServer) Stop() { s.proc.stop() }

// findSSHD returns the absolute name, which the server insists on.
func findSSHD() (string, error) {
	bin, err := exec.LookPath("sshd")
	if err != nil {
		bin, err = exec.LookPath("/usr/sbin/sshd")
	}
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		return "", err
	}
	return filepath.Abs(bin)
}
