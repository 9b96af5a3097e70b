SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKER := .venv-lock
UV_VERSION := 0.13.9

# Where compiled modules are not kept, each worker of the tests and each server that they start compiles all anew.
unexport PYTHONDONTWRITEBYTECODE

# What is tested on PostgreSQL, too.
ON_POSTGRESQL := tests/store tests/sessions tests/labs tests/exercises \
	$(addprefix tests/api/test_,labs.py lab_sheets.py exercises.py roles.py secrets.py hostile_texts.py preconditions.py)

# More arguments for the program that a target runs: make run ARGS="--port 9000"
ARGS ?=

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/.run ## serve on 127.0.0.1:8000, setting up first what is missing
	@exec $(BIN)/kmemlab serve $(ARGS)

.PHONY: test
test: browser ## the tests, without the slowest
	@$(BIN)/python -m pytest -n auto --quick $(ARGS)

.PHONY: test-all
test-all: browser ## every test but the long runs, as .ci/run does
	@$(BIN)/python -m pytest -n auto $(ARGS)

.PHONY: test-postgresql
test-postgresql: $(VENV)/.test ## the tests of the store, sessions, labs, exercises and the API, on a PostgreSQL of their own
	@KMEMLAB_TESTS_ON=postgresql $(BIN)/python -m pytest -n auto $(or $(ARGS),--quick $(ON_POSTGRESQL))

.PHONY: soak
soak: browser ## the long runs
	@$(BIN)/python -m pytest -n logical --dist loadgroup -m soak --timeout 7200 -o faulthandler_timeout=7100 $(ARGS)

.PHONY: durations
durations: browser ## the tests again, and how long they take: by that they are ordered (on a quiet machine)
	@$(BIN)/python -m pytest -n auto --record-durations $(ARGS)

.PHONY: coverage
coverage: browser ## the tests again, and the lines and branches they miss
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -n auto --timeout 600 $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

.PHONY: bench
bench: $(VENV)/.test ## everything that has to be fast, as a table with its ceilings (ARGS=--quick)
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: scaling
scaling: $(VENV)/.test ## how many servers a class takes, from the bench's table (ARGS="--students 500", "--into docs/scaling.md")
	@$(BIN)/python -m tests.bench.scaling $(ARGS)

.PHONY: load
load: $(VENV)/.test ## a class of 300 on one server for a minute: answers, events, memory
	@$(BIN)/python -m tests.bench.classroom $(ARGS)

.PHONY: demo-lab
demo-lab: browser ## sixty scripted students with a sheet and votes; pictures and results in build/demo-lab
	@$(BIN)/python -m tests.support.demo_lab $(ARGS)

.PHONY: lab-load
lab-load: $(VENV)/.test ## a class of 300 in lab mode: joining, calling, streams, the wall
	@$(BIN)/python -m tests.bench.lab $(ARGS)

.PHONY: vote-load
vote-load: $(VENV)/.test ## 300 phones vote twice on one server: answers, counts, the reveal (ARGS=--kill)
	@$(BIN)/python -m tests.bench.votes $(ARGS)

.PHONY: hostile
hostile: $(VENV)/.test ## a class at work while a stranger or a member means harm: who waits how long
	@$(BIN)/python -m tests.bench.hostile $(ARGS)

.PHONY: crash
crash: $(VENV)/.test ## kill a server under load thirty times, and tell what was lost
	@$(BIN)/python -m tests.support.crash $(ARGS)

.PHONY: fidelity
fidelity: $(VENV)/.run ## replay recordings of a real kernel, and put the table into docs/fidelity.md
	@$(BIN)/kmemlab replay --into docs/fidelity.md $(or $(RECORDINGS),tests/recordings)

.PHONY: exercises
exercises: $(VENV)/.run ## play every exercise for 300 seeds: valid, solvable, and no answer that too many have
	@$(BIN)/kmemlab exercises $(ARGS)

.PHONY: text
text: $(VENV)/.test ## put words of pages into the translators' template, frame states into styles, calls into the API's page
	@$(BIN)/python -m tests.support.text
	@$(BIN)/python -m tests.support.styles
	@$(BIN)/python -m tests.support.call_tables

.PHONY: mutate
mutate: $(VENV)/.test ## break each rule of the allocators and of checks in a copy, and name the test that notices (ARGS="--only 4")
	@$(BIN)/python -m tests.mutations $(ARGS)

.PHONY: screenshots
screenshots: browser ## pictures of every page in build/screenshots, to be looked at
	@$(BIN)/python -m tests.support.screenshots $(ARGS)

.PHONY: lint
lint: $(VENV)/.test ## ruff, mypy --strict, the types of the scripts, and the import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	DENO_NO_UPDATE_CHECK=1 DENO_DIR=$(VENV)/deno $(BIN)/deno check --quiet --no-lock --config .ci/deno.json static/js/*.js
	$(BIN)/python -m pytest -q tests/house/test_house.py

.PHONY: format
format: $(VENV)/.test ## rewrite the sources as `make lint` wants them
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: venv
venv: $(VENV)/.test ## .venv with everything that runs, tests and lints

.PHONY: browser
browser: $(VENV)/.test
	@scripts/setup browser $(VENV)

# The locks are written by `uv pip compile`: exact versions, the hashes of every platform's wheels, no addresses.
.PHONY: lock
lock: $(LOCKER)/.uv-$(UV_VERSION) ## renew the lock files from pyproject.toml (ARGS=--upgrade for newer indirect ones)
	$(call compile,--group build,requirements.lock)
	$(call compile,--group build --extra postgresql -c requirements.lock,requirements-postgresql.lock)
	$(call compile,--group build --group test --extra postgresql --extra mount -c requirements-postgresql.lock,requirements-test.lock)

compile = UV_CUSTOM_COMPILE_COMMAND="make lock" $(LOCKER)/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate $(1) $(ARGS) pyproject.toml -o $(2)

.PHONY: clean
clean: ## remove environments and caches; databases stay
	rm -rf .venv .venv-lock build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis htmlcov
	rm -f .coverage .coverage.*
	find app client tests migrations -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# Files in .venv say what has been set up.
$(VENV)/.python:
	@scripts/setup venv $(VENV)
	@touch $@

$(VENV)/.run: requirements.lock pyproject.toml $(VENV)/.python
	@echo "setting up $(VENV), about half a minute the first time" >&2
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: requirements-test.lock $(VENV)/.run
	@echo "setting up $(VENV) for the tests, about half a minute the first time" >&2
	@$(PIP) install --require-hashes -r requirements-test.lock
	@touch $@

$(LOCKER)/.uv-$(UV_VERSION):
	@scripts/setup venv $(LOCKER)
	@$(LOCKER)/bin/python -m pip --disable-pip-version-check --quiet install uv==$(UV_VERSION)
	@touch $@
