package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// nginxConf serves a folder, as one unprivileged process without a daemon.
// The file names are its prefix, port and root; the fourth and fifth place are
// for what goes before everything and into the server.
const nginxConf = `
%[4]s
daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log warn;
events { worker_connections 2048; }
http {
	access_log off;
	default_type application/octet-stream;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	keepalive_requests 100000;
	server {
		listen %[2]s;
		root %[3]s;
		merge_slashes off;
		absolute_redirect off;
		%[5]s
	}
}
`

// Nginx serves dir, which must be readable by everyone, with nginx and its
// index pages until the test ends. It returns the URL, without a trailing
// slash.
func Nginx(t testing.TB, dir string) string {
	t.Helper()
	return serveNginx(t, dir, "", "autoindex on;")
}

// davModule adds PROPFIND to what nginx knows of WebDAV.
const davModule = "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so"

// NginxDAV serves dir as a WebDAV server until the test ends. It returns the
// URL, "http://host", without a trailing slash.
func NginxDAV(t testing.TB, dir string) string {
	t.Helper()
	if _, err := os.Stat(davModule); err != nil {
		missing(t, "nginx has no full WebDAV (Debian: apt-get install libnginx-mod-http-dav-ext)")
	}
	return serveNginx(t, dir, "load_module "+davModule+";", `
		client_max_body_size 0;
		dav_methods PUT DELETE MKCOL COPY MOVE;
		dav_ext_methods PROPFIND OPTIONS;
		dav_access user:rw;`)
}

// serveNginx runs nginx until the test ends.
func serveNginx(t testing.TB, dir, before, server string) string {
	t.Helper()
	bin, err := findNginx()
	if err != nil {
		missing(t, "nginx is not installed (Debian: apt-get install nginx-light)")
	}
	addr, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	prefix := t.TempDir()
	conf := filepath.Join(prefix, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, prefix, addr, dir, before, server), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := start(addr, filepath.Join(prefix, "out.log"), bin, "-p", prefix, "-e", filepath.Join(prefix, "error.log"), "-c", conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return "http://" + addr
}

// findNginx also looks where Debian puts it, outside an ordinary PATH.
func findNginx() (string, error) {
	bin, err := exec.LookPath("nginx")
	if err != nil {
		return exec.LookPath("/usr/sbin/nginx")
	}
	return bin, nil
}
