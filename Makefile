# Every target works on a fresh clone: it makes .venv and builds what is missing, once.
# What it needs beforehand is Python 3.11 or later, a Rust toolchain and the package registries.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
# A build must not pick up what the caller's shell has active, nor write into it.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX
export PIP_DISABLE_PIP_VERSION_CHECK := 1

VENV := .venv
BIN := $(VENV)/bin
TOOLS := target/tools
# A rustup shim without a toolchain is on PATH too, hence the question.
RUST := $(shell cargo --version >/dev/null 2>&1 && echo yes)
PYTHON ?= $(shell tools/find-python)
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

ifeq ($(RUST),yes)
CORE := $(VENV)/.extension
else
CORE := $(VENV)/.reference
endif

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

.PHONY: build
build: $(CORE) ## .venv/bin/netrelay, with the Rust core if there is a toolchain

.PHONY: run
run: $(CORE) ## a gateway, an importer and one request through both, on loopback
	@$(BIN)/python -m netrelay.cli.demo

.PHONY: test
test: $(CORE) $(VENV)/.dev ## cargo tests, then pytest but for what is marked long
	@tools/install-test-deps $(BIN)/python
ifeq ($(RUST),yes)
	cargo test --workspace --exclude netrelay-pyext --quiet
endif
	$(BIN)/python -m pytest -q -m "not long"

.PHONY: test-long
test-long: $(CORE) $(VENV)/.dev ## all tests, with those that take minutes: soak and deep properties
	@tools/install-test-deps $(BIN)/python
	HYPOTHESIS_PROFILE=slow $(BIN)/python -m pytest -q --timeout 3600

.PHONY: lint
lint: lint-python lint-rust ## every check that runs nothing: style, types, layers, licences

.PHONY: lint-python
lint-python: $(CORE) $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
ifeq ($(RUST),yes)
	$(BIN)/python -m mypy.stubtest netrelay._core --mypy-config-file pyproject.toml --concise
endif
	$(BIN)/lint-imports --config pyproject.toml --no-cache

.PHONY: lint-rust
ifeq ($(RUST),yes)
lint-rust: $(TOOLS)/bin/cargo-deny
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	$(TOOLS)/bin/cargo-deny --log-level error check bans licenses sources
else
lint-rust:
	@echo "no Rust toolchain: the Rust side is not checked" >&2; exit 1
endif

.PHONY: fmt
fmt: $(VENV)/.dev ## format both languages in place
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format .
ifeq ($(RUST),yes)
	cargo fmt --all
endif

.PHONY: bench
bench: $(CORE) ## netrelay beside what you would use instead; BENCH="--quick" for a look
	@tools/install-bench-deps $(BIN)/python
	$(BIN)/python -m benches.run $(BENCH)

.PHONY: wheel
wheel: $(VENV)/.dev ## an installable wheel in dist/
	$(if $(RUST),,$(error no Rust toolchain (cargo), and a wheel has the Rust core in it))
	rm -rf dist
	$(BIN)/maturin build --release --locked --compatibility pypi --out dist

.PHONY: clean
clean: ## forget what was built, but for the tools
	rm -rf $(VENV) dist build python/netrelay/_core*.so
	find target -mindepth 1 -maxdepth 1 -not -name tools -exec rm -rf {} +

# What is built, and when it is stale.

$(VENV)/.python:
	$(if $(PYTHON),,$(error no Python 3.11 or later found; name one: make PYTHON=/path/to/python3))
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	touch $@

$(VENV)/.runtime: $(VENV)/.python pyproject.toml constraints.txt
	$(PIP) $$($(BIN)/python tools/requirements.py)
	touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(PIP) $$($(BIN)/python tools/requirements.py dev)
	touch $@

$(VENV)/.extension: $(VENV)/.runtime $(RUST_SOURCES)
	$(PIP) maturin
	VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/maturin develop --release --quiet >/dev/null
	touch $@

# Without a toolchain the package is used where it stands, on its pure-Python core.
$(VENV)/.reference: $(VENV)/.runtime
	@echo "no Rust toolchain (cargo): building without the Rust core; netrelay runs on the Python reference" >&2
	$(BIN)/python tools/link_reference.py
	touch $@

$(TOOLS)/bin/cargo-deny:
	@echo "building cargo-deny into $(TOOLS), once (minutes)" >&2
	CARGO_TARGET_DIR=$(TOOLS)/build cargo install --quiet --locked --root $(TOOLS) cargo-deny --version 0.20.2
	rm -rf $(TOOLS)/build
