# dagwright. "make" alone prints this help, which is written from the comments
# behind the targets.

GO       ?= go
CACHE    ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dagwright
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null)
FUZZTIME ?= 30s
TOOLS    := $(GO) tool -modfile=tools/go.mod
GITLEAKS := github.com/zricethezav/gitleaks/v8@v8.30.0

# The packages whose tests take longest come first, so that no core is idle in the end, and
# before all those that need the cluster for themselves. They mostly wait, so that more
# packages than there are cores run at once.
SLOW     := ./executor/pod ./test/cluster/clustertest ./cmd/dagwright ./deploy ./store ./generator
AT_ONCE  := 3

.DEFAULT_GOAL := help
.PHONY: help build run test check race services services-down cluster-up cluster-down cluster-image setup bench fuzz golden fmt lint tidy screenshots airflow-check airflow-compare schemathesis lighthouse clean

help: ## Print this help
	@awk -F':.*## ' '/^#@ / {printf "\n%s\n", substr($$0, 4)} /^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

#@ Build and run

build: ## Build bin/dagwright, a static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X dagwright/version.release=$(VERSION)" -o bin/dagwright ./cmd/dagwright

run: ## Run all of dagwright on this machine (the README's first command)
	$(GO) run ./cmd/dagwright dev

#@ Test

# Compiled as the Dockerfile does it, so that nothing is compiled twice, and vetted by check,
# which runs while the services start.
test: export CGO_ENABLED = 0
test: export GOFLAGS := $(GOFLAGS) -trimpath
test: setup ## Install what the tests need, then run every test (the README's second command)
	@MEANWHILE="make --no-print-directory check" test/services \
		$(GO) test -count 1 -vet off -timeout 45m -p $(AT_ONCE) $(SLOW) ./...

race: setup ## Run every test with the race detector
	@test/services $(GO) test -race -timeout 60m ./...

check: ## The fast gate: formatting and vet
	@out="$$(gofmt -l $$(git ls-files '*.go'))"; test -z "$$out" || { echo "not gofmt-ed:"; echo "$$out"; exit 1; }
	$(GO) vet ./...

setup: ## Install what the tests need (Debian, npm and Python packages)
	test/setup

#@ What tests need

services: ## Start the PostgreSQL, the S3 and the Keycloak that tests need and print what to set
	@echo "export DAGWRIGHT_TEST_POSTGRES='$$(test/postgres up)'"
	@echo "export DAGWRIGHT_TEST_S3='$$(test/s3 up)'"
	@echo "export DAGWRIGHT_TEST_KEYCLOAK='$$(test/keycloak up)'"

services-down: ## Stop them
	@test/postgres down
	@test/s3 down
	@test/keycloak down

cluster-up: ## Start a one-node Kubernetes on this machine and print its kubeconfig's path
	@test/cluster/cluster up

cluster-down: ## Stop it; its objects and images are kept for the next time
	@test/cluster/cluster down

cluster-image: ## Build the Dockerfile and load the image, localhost/dagwright:dev, into it
	@test/cluster/cluster dagwright localhost/dagwright:dev

#@ Measure, and compare with Airflow

bench: ## Measure dagwright against its aims: a table and JSON
	$(GO) run ./cmd/bench

airflow-check: ## Load all golden specs into a real Airflow and compare (installs one in the cache)
	@python="$$(test/airflow/python)" && DAGWRIGHT_TEST_AIRFLOW="$$python" $(GO) test -tags airflow -count 1 -v ./test/airflow

airflow-compare: build ## Run Airflow's client against a real Airflow and dagwright, and compare their answers
	test/airflowclient/compare bin/dagwright

schemathesis: build ## Search for answers that break the OpenAPI document, for longer than the tests do
	test/airflowclient/schemathesis bin/dagwright

#@ Keep the code in order

fuzz: ## Fuzz each target for FUZZTIME
	@for f in $$(grep -rl --include='*_test.go' '^func Fuzz' .); do \
		for t in $$(grep -o '^func Fuzz[A-Za-z0-9]*' $$f | cut -c6-); do \
			echo "$$(dirname $$f) $$t"; $(GO) test $$(dirname $$f) -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME) || exit 1; \
		done; \
	done

golden: ## Rewrite the golden files; read the diff before you commit it
	$(GO) test ./... -update

fmt: ## Format the code
	gofmt -w $$(git ls-files '*.go')

lint: ## Run golangci-lint, and gitleaks over all commits
	$(TOOLS) golangci-lint run ./...
	$(GO) run $(GITLEAKS) git --no-banner --redact .

tidy: ## Check that go.mod and go.sum are tidy
	$(GO) mod tidy -diff

#@ Pages

screenshots: setup ## Take pictures: of every page into bin/screenshots, of the guide into docs/pictures
	mkdir -p bin/screenshots
	DAGWRIGHT_SCREENSHOTS="$(CURDIR)/bin/screenshots" $(GO) test ./cmd/dagwright -count 1 -run TestBrowser
	test/pictures

lighthouse: setup ## Rate the table, a DAG and a log with Lighthouse: 100 each, or it fails
	@npm ls --prefix test/lighthouse >/dev/null 2>&1 || npm ci --prefix test/lighthouse --no-audit --no-fund --silent --ignore-scripts
	@test/withdev bash -c 'node test/lighthouse/rate.mjs "$$DAGWRIGHT_URL"'

clean: ## Remove what a build or a dev run left
	rm -rf bin .dagwright
