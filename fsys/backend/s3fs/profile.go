package s3fs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A profile is what the AWS files say besides credentials, which
// minio-go reads.
type profile struct {
	region   string
	endpoint string
}

// readProfile reads a profile from the config file, and lets the credentials
// file add to it. Missing files are empty; a profile that was asked for by
// name must be in one of them.
func readProfile(name string) (profile, error) {
	config, err := readINI(first(os.Getenv("AWS_CONFIG_FILE"), awsFile("config")))
	if err != nil {
		return profile{}, err
	}
	secrets, err := readINI(first(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), awsFile("credentials")))
	if err != nil {
		return profile{}, err
	}
	own := config["profile "+name]
	if name == "" || name == "default" {
		own = config["default"]
		name = "default"
	} else if own == nil && secrets[name] == nil {
		return profile{}, fmt.Errorf("AWS profile %q is in neither ~/.aws/config nor ~/.aws/credentials", name)
	}
	p := profile{region: first(own["region"], secrets[name]["region"])}
	if services := own["services"]; services != "" {
		p.endpoint = config["services "+services]["s3.endpoint_url"]
	}
	p.endpoint = first(p.endpoint, own["s3.endpoint_url"], own["endpoint_url"], secrets[name]["endpoint_url"])
	return p, nil
}

// awsFile returns the usual place of an AWS file, or "" without a home.
func awsFile(name string) string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".aws", name)
}

// readINI parses a file; one that is missing is empty.
func readINI(name string) (sections, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) || name == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return parseINI(f)
}

// sections are keys and values by section.
type sections map[string]map[string]string

// parseINI reads sections of "key = value" lines. A value on indented lines
// below "key =" reads as keys "key.sub". Lines it does not understand are
// somebody else's.
func parseINI(r io.Reader) (sections, error) {
	all := sections{}
	var section map[string]string
	group := "" // the key that indented lines belong to
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if inner, ok := strings.CutPrefix(line, "["); ok {
			section, group = all.section(inner), ""
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || section == nil {
			continue
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		indented := strings.HasPrefix(lines.Text(), " ") || strings.HasPrefix(lines.Text(), "\t")
		switch {
		case indented && group != "":
			key = group + "." + key
		case value == "":
			group = key
		default:
			group = ""
		}
		section[key] = value
	}
	return all, lines.Err()
}

// section returns the section that a line "title]" begins.
func (s sections) section(line string) map[string]string {
	title, _, _ := strings.Cut(line, "]")
	title = strings.Join(strings.Fields(title), " ")
	if s[title] == nil {
		s[title] = map[string]string{}
	}
	return s[title]
}
