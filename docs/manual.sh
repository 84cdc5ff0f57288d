#!/usr/bin/env bash
# Writes docs/manual: the long help of each command and the help topics, as
# the program prints them.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go build -o "$tmp/leat" ./cmd/leat
rm -rf docs/manual
mkdir docs/manual
"$tmp/leat" --help >docs/manual/leat.txt
# The help lists the commands and the topics, each under its heading.
awk '/^(Commands|Topics)/ { on = 1; next } /^[^ ]/ { on = 0 } on && NF { print $1 }' docs/manual/leat.txt |
  while read -r name; do
    "$tmp/leat" help "$name" >"docs/manual/$name.txt"
  done
ls docs/manual
