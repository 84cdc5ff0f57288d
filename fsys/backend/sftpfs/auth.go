package sftpfs

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/leat-dev/leat/fault"
)

// clientConfig returns how to log in. done releases the agent.
func (o *Options) clientConfig(s server) (cfg *ssh.ClientConfig, done func(), err error) {
	check, err := o.hostKeys()
	if err != nil {
		return nil, nil, err
	}
	cfg = &ssh.ClientConfig{
		User: s.account(), HostKeyCallback: check, HostKeyAlgorithms: algorithms(check, s.address()),
		ClientVersion: "SSH-2.0-leat",
	}
	done = func() {}
	var signers []ssh.Signer
	if o.AgentSocket != "" {
		if c, err := net.Dial("unix", o.AgentSocket); err == nil {
			done = func() { _ = c.Close() }
			if keys, err := agent.NewClient(c).Signers(); err == nil {
				signers = keys
			}
		}
	}
	files, err := o.signers()
	if err != nil {
		done()
		return nil, nil, err
	}
	if signers = append(signers, files...); len(signers) > 0 {
		cfg.Auth = append(cfg.Auth, ssh.PublicKeys(signers...))
	}
	if o.Password != "" {
		cfg.Auth = append(cfg.Auth, ssh.Password(o.Password), ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range answers {
				answers[i] = o.Password
			}
			return answers, nil
		}))
	}
	if len(cfg.Auth) == 0 {
		done()
		return nil, nil, &fault.Error{Kind: fault.Permission, Err: errors.New("no key to log in with: start an agent, make ~/.ssh/id_ed25519 without a passphrase, or set LEAT_SFTP_PASSWORD")}
	}
	return cfg, done, nil
}

// signers reads the key files. One that was named must be usable; of the
// usual ones those that are not there or have a passphrase are left out.
func (o *Options) signers() ([]ssh.Signer, error) {
	names, named := o.IdentityFiles, true
	if names == nil {
		named = false
		for _, n := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			names = append(names, filepath.Join(homeSSH(), n))
		}
	}
	var all []ssh.Signer
	for _, name := range names {
		pem, err := os.ReadFile(name)
		if err == nil {
			var s ssh.Signer
			if s, err = ssh.ParsePrivateKey(pem); err == nil {
				all = append(all, s)
				continue
			}
		}
		var locked *ssh.PassphraseMissingError
		if named || !errors.Is(err, fs.ErrNotExist) && !errors.As(err, &locked) {
			return nil, &fault.Error{Kind: fault.Permission, Err: fmt.Errorf("key file %s: %w", name, err)}
		}
	}
	return all, nil
}

func homeSSH() string {
	home, _ := os.UserHomeDir() // "" makes names that are not there
	return filepath.Join(home, ".ssh")
}

// hostKeys reads the known-hosts files.
func (o *Options) hostKeys() (ssh.HostKeyCallback, error) {
	names := o.KnownHosts
	if names == nil {
		for _, n := range []string{filepath.Join(homeSSH(), "known_hosts"), "/etc/ssh/ssh_known_hosts"} {
			if _, err := os.Stat(n); err == nil {
				names = append(names, n)
			}
		}
	}
	check, err := knownhosts.New(names...)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Err: fmt.Errorf("known hosts: %w", err)}
	}
	return func(host string, addr net.Addr, key ssh.PublicKey) error {
		err := check(host, addr, key)
		var wrong *knownhosts.KeyError
		if !errors.As(err, &wrong) {
			return err
		}
		if len(wrong.Want) == 0 {
			return &hostKeyError{fmt.Errorf("the server's key %s is not in a known-hosts file; add it when it is right (ssh-keyscan)", ssh.FingerprintSHA256(key)), nil}
		}
		return &hostKeyError{fmt.Errorf("the server's key %s is not the one in %s, line %d: it was replaced, or someone is in between",
			ssh.FingerprintSHA256(key), wrong.Want[0].Filename, wrong.Want[0].Line), wrong.Want}
	}, nil
}

// A hostKeyError refuses a server.
type hostKeyError struct {
	err  error
	want []knownhosts.KnownKey
}

// Error implements error.
func (e *hostKeyError) Error() string { return e.err.Error() }

// algorithms returns those of the keys that are known of the host, so that
// the server shows one of these; nil when none is.
func algorithms(check ssh.HostKeyCallback, address string) []string {
	var known *hostKeyError
	if err := check(address, &net.TCPAddr{IP: net.IPv4zero}, noKey{}); !errors.As(err, &known) {
		return nil
	}
	var list []string
	for _, k := range known.want {
		switch t := k.Key.Type(); t {
		case ssh.KeyAlgoRSA:
			list = append(list, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		default:
			list = append(list, t)
		}
	}
	return list
}

// noKey is a key that no host has.
type noKey struct{}

// Type implements ssh.PublicKey.
func (noKey) Type() string { return "none" }

// Marshal implements ssh.PublicKey.
func (noKey) Marshal() []byte { return []byte("none") }

// Verify implements ssh.PublicKey.
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("not a key") }

// denied reports whether a failed login is final.
func denied(err error) bool {
	return strings.Contains(err.Error(), "unable to authenticate")
}
