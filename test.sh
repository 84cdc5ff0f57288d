#!/usr/bin/env bash
# Runs all tests; arguments go to `go test`: ./test.sh -race, ./test.sh -run Glob.
#
# Some tests talk to real servers: nginx and OpenSSH, from the distribution,
# and an S3 server, which the tests build from tools/go.mod. A tool that is missing is
# installed when we are root on a machine with apt-get (LEAT_TEST_INSTALL=0
# forbids it); else its tests are skipped and the last lines say so. With CI
# set nothing may be skipped for a missing tool.
set -euo pipefail
cd "$(dirname "$0")"

missing=()
need() { # need COMMAND PACKAGE
  command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || missing+=("$2")
}

# install gets packages without starting the services that come with them.
install() {
  local policy=/usr/sbin/policy-rc.d log
  if [ ! -e "$policy" ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
  fi
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "test.sh: could not install: $*" >&2
  fi
  rm -f "$log"
}

# wanted fills missing with the packages that the tests need and we lack.
wanted() {
  missing=()
  need nginx nginx
  [ -e /usr/lib/nginx/modules/ngx_http_dav_ext_module.so ] || missing+=(libnginx-mod-http-dav-ext)
  need sshd openssh-server
  need git git
  case " $* " in *" -race "*) need "${CC:-gcc}" gcc; [ -e /usr/include/stdlib.h ] || missing+=(libc6-dev) ;; esac
}

case "$(uname -s)" in Linux) wanted "$@" ;; *) need nginx nginx; need sshd openssh-server; need git git ;; esac
if [ ${#missing[@]} -gt 0 ] && [ "${LEAT_TEST_INSTALL:-1}" != 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "test.sh: installing ${missing[*]}" >&2
  install "${missing[@]}"
  wanted "$@"
fi

status=0
go test -timeout 15m "$@" ./... || status=$?
if [ ${#missing[@]} -gt 0 ]; then
  echo "test.sh: SKIPPED what needs: ${missing[*]} (install it, or run as root where apt-get works)" >&2
fi
exit $status
