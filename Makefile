# `make up` starts a cluster on this machine, `make test` runs every test. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

NODES     ?= 3
STORE     ?= sqlite
DOMAIN    ?= localhost
DIR       ?= var/up
PORT      ?= 5222
PLAINTEXT ?=
DETACH    ?=

# A comma where make would take one for itself.
, := ,

TARGET := $(or $(CARGO_TARGET_DIR),target)
MUSTER := $(TARGET)/release/muster
TOOLS  := $(TARGET)/tools
SUDO   := $(if $(filter 0,$(shell id -u)),,sudo)
# What is installed when it is missing: only on Debian and its kin, and only then.
define need
	@{ $(1); } >/dev/null 2>&1 || { echo "installing $(2)"; $(SUDO) apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $(2) >/dev/null; } || \
	  { echo "please install: $(2)" >&2; exit 1; }
endef

.PHONY: help
help: ## Show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
	@echo "Variables of up: NODES=$(NODES) STORE=sqlite|redis DOMAIN=$(DOMAIN) DIR=$(DIR) PORT=$(PORT) PLAINTEXT=1 DETACH=1"

.PHONY: needs
needs:
	$(call need,command -v cc && command -v pkg-config && pkg-config --exists openssl,build-essential pkg-config libssl-dev)
	@command -v cargo >/dev/null || { echo "Rust is missing: see https://rustup.rs" >&2; exit 1; }

.PHONY: needs-redis
needs-redis:
	$(call need,command -v redis-server,redis-server)

.PHONY: build
build: needs ## Build the release binary
	cargo build --release --locked -p muster

.PHONY: up
up: build $(if $(filter redis,$(STORE)),needs-redis) ## Start a cluster with accounts romeo, juliet and admin; Ctrl-C stops it
	@exec $(MUSTER) up --nodes $(NODES) --store $(STORE) --domain $(DOMAIN) --dir $(DIR) --port $(PORT) \
	  $(if $(filter-out 0,$(PLAINTEXT)),--plaintext) $(if $(filter-out 0,$(DETACH)),--detach)

.PHONY: down
down: ## Stop what `make up DETACH=1` started in DIR
	@exec $(MUSTER) down --dir $(DIR)

.PHONY: test
test: check needs-redis ## Run every test
	cargo test --workspace --locked
	cargo build --locked -p muster -p muster-chaos
	$(TARGET)/debug/muster-chaos run --muster $(TARGET)/debug/muster --out $(TARGET)/chaos --seed 1 --minutes 1.2
	cargo test --locked -p muster-simulation --features sabotage --test broken
	cargo build --locked -p muster --features sabotage --bin muster-sabotaged
	$(TARGET)/debug/muster-chaos prove --minutes 0.35 --muster $(TARGET)/debug/muster-sabotaged --out $(TARGET)/chaos/prove
	tests/interop/run $(TARGET)/debug/muster

# In thousands, or one of them aloud with what its nodes log.
.PHONY: simulate
simulate: needs ## Play SEEDS (2000) histories of a whole cluster from FIRST (0), or replay one: SEED=n
	$(if $(SEED),SEED=$(SEED)) $(if $(SEEDS),SEEDS=$(SEEDS)) $(if $(FIRST),FIRST=$(FIRST)) \
	  cargo test --locked -p muster-simulation --test seeds every_history -- --nocapture

.PHONY: fuzz
fuzz: needs ## Try random words for SECONDS (60) for each kind
	FUZZ_SECONDS=$(or $(SECONDS),60) cargo test --locked -p muster-tests --test scenes fuzz

.PHONY: check
check: needs manifests ## Look at everything without running it: format, lints, house rules, documentation, manifests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo test -q -p muster-tests --locked --test tidy
	RUSTDOCFLAGS="-D warnings" cargo doc -q --workspace --no-deps --document-private-items --locked

.PHONY: fix
fix: ## Repair what can be repaired: format and lints
	cargo clippy --fix --allow-dirty --allow-staged --workspace --all-targets
	cargo fmt --all

KUBERNETES_VALIDATE := $(TOOLS)/kubernetes/bin/kubernetes-validate
$(KUBERNETES_VALIDATE):
	$(call need,python3 -c 'import venv$(,) ensurepip',python3 python3-venv)
	@python3 -m venv $(TOOLS)/kubernetes
	@$(TOOLS)/kubernetes/bin/pip install -q --disable-pip-version-check kubernetes-validate==1.34.1

.PHONY: manifests
manifests: $(KUBERNETES_VALIDATE)
	@$(KUBERNETES_VALIDATE) --strict --quiet $(filter-out %/kustomization.yaml,$(wildcard k8s/base/*.yaml))

PEERS ?=
RUNS  ?= 5
TIME  ?= 1.2
IDLE  ?= 2000
CASES ?=

.PHONY: needs-peers
needs-peers:
ifneq ($(filter ejabberd,$(PEERS)),)
	$(call need,command -v ejabberdctl,ejabberd)
endif
ifneq ($(filter prosody,$(PEERS)),)
	$(call need,command -v prosody,prosody)
endif

.PHONY: bench
bench: build needs-peers ## Measure Muster beside a bare relay and PEERS="ejabberd prosody" (RUNS=5 TIME=1.2 IDLE=2000 CASES=chat,login)
	cargo build --release --locked -p muster-chaos
	@$(TARGET)/release/muster-bench compare --muster $(MUSTER) --runs $(RUNS) --seconds $(TIME) --idle $(IDLE) $(if $(CASES),--cases $(CASES)) \
	  --servers muster,muster-2,muster-3,muster-5,floor $(addprefix --servers ,$(PEERS))

MINUTES ?= 5
FAULT   ?= mix
LOAD    ?= all
SEED    ?=

.PHONY: chaos
chaos: build needs-redis ## Break a cluster on purpose for MINUTES (5), FAULT=mix LOAD=all NODES=3 STORE=sqlite|redis|sentinel SEED=; see its report
	cargo build --release --locked -p muster-chaos
	@exec $(TARGET)/release/muster-chaos run --muster $(MUSTER) --out var/chaos --minutes $(MINUTES) --nodes $(NODES) \
	  --store $(STORE) --fault $(FAULT) --load $(LOAD) $(if $(SEED),--seed $(SEED))

N    ?= 1020000
RATE ?= 16000

.PHONY: bench-parts
bench-parts: needs ## Measure what is hot by itself: parse, splice, write, envelope, ring, decision, slot log
	cargo bench --locked -p muster-proto -p muster-cluster -p muster-actors

.PHONY: bench-million
bench-million: build ## Hold N=1020000 sessions in one domain, messages flowing for MINUTES=5, then kill a node
	cargo build --release --locked -p muster-chaos
	@$(TARGET)/release/muster-bench million --muster $(MUSTER) --sessions $(N) --minutes $(MINUTES) --rate $(RATE)

.PHONY: audit
audit: ## Look for advisories, licences and bans (fetches the list of advisories)
	@command -v cargo-deny >/dev/null || { echo "cargo-deny is missing: cargo install --locked cargo-deny" >&2; exit 1; }
	cargo deny check

