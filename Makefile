# The targets are short names for what can be typed without make.
GO ?= go
FUZZTIME ?= 10s
BENCH ?= .

.DEFAULT_GOAL := help
.PHONY: help check test race fuzz bench docs ci-deps

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: ## gofmt, vet, staticcheck, other systems, race tests: what a change has to pass
	.ci/run

test: ## all tests; the servers they need are fetched when possible
	./test.sh

race: ## all tests under the race detector
	./test.sh -race

fuzz: ## each fuzz test for FUZZTIME (10s)
	@set -e; grep -rn --include='*_test.go' -o 'func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*:[0-9]*:func | |' | sort -u | \
	while read -r dir name; do \
		echo "$$dir $$name"; $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$dir"; \
	done

bench: ## the benchmarks of the packages; those against other tools are in bench/README.md
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

docs: ## write the command manual to docs/manual from the program's own help
	docs/manual.sh

ci-deps: ## build the pinned development tools once, so that later runs are quick
	$(GO) build -modfile=tools/go.mod -o /dev/null tool
