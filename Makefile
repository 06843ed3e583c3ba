# The whole life of a checkout. Needs Python 3.11 or later, node 20 and npm; everything else is fetched by `make setup`,
# pinned and checked by hash, into .venv and .cache. Repeats are cheap: a step runs again only when what it reads has changed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 2
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := help
.PHONY: help setup check test test-slow soak demo chain bench events lock wheel image-tools image-test clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.installed ## virtual environment with pinned dependencies, and the local world's packages
	$(BIN)/python -m keeper.devnet.prepare

check: $(VENV)/.installed ## lint, format, types, arrows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup ## the quick tier
	$(BIN)/pytest -m "not slow" -n $(WORKERS)

test-slow: setup image-tools ## the slow tier: compilers, long walks, kill loops
	$(BIN)/python -m keeper.devnet.prepare --slow
	$(BIN)/pytest -m slow -n $(WORKERS) --dist worksteal --durations 12

soak: setup ## the daemon for a day at speed: 7,200 blocks, 500 accounts, in about 20 minutes
	KEEPER_SOAK_BLOCKS=7200 $(BIN)/pytest -m slow -s tests/chaos/test_soak.py

demo: setup ## real liquidations on a local chain, in about a minute
	$(BIN)/keeper demo

chain: setup ## the demo's chain by itself at 127.0.0.1:8545, for config/demo.toml, until Ctrl-C
	$(BIN)/python -m keeper.demo.serve

bench: setup ## the benchmarks, as ratios within one run; the README's table is written anew
	mkdir -p .cache
	$(BIN)/keeper bench --json > .cache/bench.jsonl
	$(BIN)/python -m keeper.bench._readme README.md < .cache/bench.jsonl

wheel: $(VENV)/.installed ## dist/keeper-*.whl
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

events: setup ## the README's table of log events, written anew from the schema
	$(BIN)/python -m keeper.bench._readme README.md events

lock: ## compile requirements*.txt from pyproject.toml (needs uv)
	uv pip compile $(LOCK) pyproject.toml --extra dev --extra reports -o requirements-dev.txt
	uv pip compile $(LOCK) pyproject.toml -c requirements-dev.txt -o requirements.txt
	uv pip compile $(LOCK) --group build -c requirements-dev.txt -o requirements-build.txt
LOCK := --quiet --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

image-tools: ## what the container image is tested with, of Debian
	@command -v buildah >/dev/null && command -v debootstrap >/dev/null || \
	 { $(AS_ROOT) apt-get update -qq && $(AS_ROOT) apt-get install -y -qq --no-install-recommends buildah debootstrap; }

image-test: setup image-tools ## the container image, built and run
	$(BIN)/pytest -m slow tests/image

clean: ## everything that was made here, state and downloads included
	rm -rf $(VENV) .cache dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "keeper needs Python 3.11 or later: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.hashed: requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

$(VENV)/.installed: pyproject.toml keeper/__init__.py $(VENV)/.hashed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
