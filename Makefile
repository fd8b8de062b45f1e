# Everything a person types here. `make help` lists it; each target makes what it needs first.
#
# The environment in .venv is made from requirements-dev.lock (every hash checked) on first use and again
# whenever the lock changes; with it in place everything works without a network.

SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { command -v "$$candidate"; break; }; done)
BIN := .venv/bin
PACKAGES := mezite tui daemons recordings
# Stamps carry the checksum of what they stand for: a changed lock has no stamp yet.
INSTALLED := .venv/.installed-$(shell cksum < requirements-dev.lock | tr ' ' '-')
PROJECT := .venv/.project-$(shell cksum < pyproject.toml | tr ' ' '-')
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

# One worker a core. `make test T=tests/config` runs a part.
JOBS ?= auto
T ?=

.PHONY: help run test check bench chaos screenshots format proto lock clean environment

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) \
	| while read -r target text; do printf '  make %-12s %s\n' "$$target" "$$text"; done

run: environment ## a cluster with users, nodes and requests, to look at; Ctrl-C leaves nothing behind
	@$(BIN)/mezite demo

test: environment ## every test, in parallel; the slow ones last
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal $(T)

check: environment ## format, lint, types, imports
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-logo > .venv/imports.log || { cat .venv/imports.log; exit 1; }
	@$(BIN)/mypy

format: environment ## put every file into the one format
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix-only .

bench: environment ## the promised figures, measured, each beside its peer
	@set -e; for bench in tests/bench/bench_*.py; do echo "== $$bench"; PYTHONPATH=. $(BIN)/python "$$bench"; done

chaos: environment ## thousands of kills and long fuzzing; takes as long as it takes
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal --chaos --timeout 7200 $(T)

screenshots: environment ## the pictures in screenshots/, from running programs
	@$(BIN)/python -m screenshots.shoot

proto: environment ## the code generated from mezite/api/proto
	@$(BIN)/python mezite/api/generate.py

lock: environment ## both locks, from pyproject.toml; `make lock UPGRADE=--upgrade` takes the newest versions
	@$(LOCK) $(UPGRADE) -o requirements.lock pyproject.toml
	@$(LOCK) $(UPGRADE) -o requirements-dev.lock -c requirements.lock --group dev pyproject.toml

clean: ## remove all that was made here, the environment too
	@rm -rf .venv dist build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment: $(PROJECT)

$(INSTALLED): requirements-dev.lock
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer with venv found; install one (Debian: python3-venv)" \
	"or say: make PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || { echo "making .venv with $(PYTHON)"; $(PYTHON) -m venv .venv; }
	@$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@rm -f .venv/.installed-* && touch $@

$(PROJECT): $(INSTALLED)
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@rm -f .venv/.project-* && touch $@
