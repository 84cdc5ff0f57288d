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
# Cobra's own completion knows all names: commands first, then help topics.
names() { "$tmp/leat" __complete "$@" '' 2>/dev/null | awk -F'\t' 'NF > 1 { print $1 }'; }
{ names; names help; } | sort -u | while read -r name; do
  "$tmp/leat" help "$name" >"docs/manual/$name.txt"
done
ls docs/manual
