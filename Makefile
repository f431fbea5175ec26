# Needs git, Go and a C compiler; everything else is made or installed here.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := $(CURDIR)/bin
ASSETS := $(BIN)/controlplane
TOOL := go tool -modfile=$(CURDIR)/go.tools.mod

.PHONY: help
help: ## List the targets.
	@while IFS= read -r line; do \
	  if [[ $$line =~ ^([a-z-]+):.*'## '(.*) ]]; then printf '  %-12s %s\n' "$${BASH_REMATCH[1]}" "$${BASH_REMATCH[2]}"; fi; \
	done < $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: programs build ## A control plane with Credence on this machine; ONESHOT=1 ends by itself; PROVIDER=kind is a cluster with nodes, as root.
	go build -C e2e -o $(BIN)/demo ./cmd/demo
	@cd e2e && exec $(BIN)/demo $(if $(PROVIDER),-provider $(PROVIDER)) -programs $(ASSETS) -credence $(BIN)/credence -dir $(CURDIR)/.demo \
	  -cluster-dir $(CURDIR)/.cluster $(if $(NODE_IMAGE),-node-image $(NODE_IMAGE)) $(if $(ONESHOT),-oneshot)

.PHONY: test
test: programs ## All tests.
	KUBEBUILDER_ASSETS=$(ASSETS) go test -race -timeout 20m ./...
	KUBEBUILDER_ASSETS=$(ASSETS) go test -C e2e -timeout 20m ./...

CLUSTER = $(BIN)/cluster -dir $(CURDIR)/.cluster $(if $(NODE_IMAGE),-node-image $(NODE_IMAGE))

.PHONY: cluster-up
cluster-up: $(BIN)/cluster ## A Kubernetes cluster of two nodes, with kind, as root; NODE_IMAGE= one of kind's instead of one built here. Prints its kubeconfig.
	@$(CLUSTER) up

.PHONY: install
install: $(BIN)/cluster ## Build the image and install the chart into the cluster in $KUBECONFIG, with INSTALL_ARGS for helm.
	@$(CLUSTER) install $(INSTALL_ARGS)

.PHONY: cluster-down
cluster-down: $(BIN)/cluster ## Remove that cluster, and all that ran for it.
	@$(CLUSTER) down

.PHONY: $(BIN)/cluster
$(BIN)/cluster:
	@go build -C e2e -o $@ ./cmd/cluster

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME (default 30s).
	@go list ./... | while read -r package; do \
	  go test -list '^Fuzz' "$$package" | while read -r target; do \
	    if [[ $$target != Fuzz* ]]; then continue; fi; \
	    echo "$$package $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $${FUZZTIME:-30s} "$$package"; \
	  done; done

.PHONY: bench
bench: programs ## The figures that the design promises, as ratios.
	go test -run '^$$' -bench . -benchmem ./injector
	go test -run '^$$' -bench . -benchmem ./usage
	go test -run '^$$' -bench . -benchmem ./controller/users
	go test -run '^$$' -bench Admission -timeout 20m ./webhook
	KUBEBUILDER_ASSETS=$(ASSETS) go test -C e2e -run '^$$' -bench . -benchtime 1x -timeout 30m ./...

.PHONY: scale
scale: programs ## Of these, the figures of a large cluster; SCALE=0.1 makes it smaller.
	KUBEBUILDER_ASSETS=$(ASSETS) go test -C e2e -run '^$$' -bench . -benchtime 1x -timeout 30m ./scale -scale $${SCALE:-1}

.PHONY: lint
lint: $(BIN)/golangci-lint ## Static checks, the import direction among them.
	$< run ./...
	cd e2e && $< run --config $(CURDIR)/.golangci.yml ./...

$(BIN)/golangci-lint: go.tools.mod
	@echo "compiling golangci-lint, a few minutes the first time"
	go build -modfile=go.tools.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: generate
generate: ## Generate deep copies and CRDs from the API types.
	$(TOOL) controller-gen object paths=./api/... crd:maxDescLen=1000 paths=./api/... output:crd:dir=charts/credence/files/crds

.PHONY: verify
verify: generate ## Fail if generated files or module files are out of step, or the CI workflow is wrong.
	cd .github && go tool actionlint -shellcheck= -pyflakes= workflows/*.yaml
	go mod tidy -diff
	cd e2e && go mod tidy -diff
	@changed=$$(git status --porcelain -- api charts/credence/files); \
	  if [ -n "$$changed" ]; then echo "$$changed"; echo "run make generate and commit the result"; exit 1; fi

.PHONY: build
build: ## The program, into bin/.
	go build -o $(BIN)/credence ./cmd/credence

.PHONY: programs
programs:
	@go run -C e2e ./cmd/programs -dir $(ASSETS) >/dev/null

.PHONY: clean
clean: ## Remove what was built.
	rm -rf $(BIN)
