# make rehearse   set up, then go through a whole night
# make test       set up, then run the tests
# make chaos      set up, then run the long ones too
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup check test chaos rehearse bench clean

help:
	@echo "make setup      create $(VENV) with everything in it"
	@echo "make rehearse   a whole night on this machine (ARGS='--track commit' and the like)"
	@echo "make test       the tests (ARGS='tests/state -k lock' and the like)"
	@echo "make chaos      every crash point, fault and random kill: about an hour"
	@echo "make check      ruff, mypy, import-linter"
	@echo "make bench      the benchmarks"
	@echo "make clean      remove $(VENV) and every cache"

setup: $(READY)
	@echo "Ready: $(BIN)/blueprime"

# The stamp is written last, so that an interrupted set-up starts afresh.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "blueprime needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) ..."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "The venv module is missing; on Debian and Ubuntu it is the package python3-venv." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[lab,dev]'
	@touch $@

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Three workers, for two processors: the tests wait for servers nearly as much as they compute.
test: $(READY)
	$(BIN)/python -m pytest -n 3 $(ARGS)

# Command line options win over the marker that `make test` leaves these out by.
chaos: $(READY)
	$(BIN)/python -m pytest -n 2 -m chaos $(ARGS)

rehearse: $(READY)
	@$(BIN)/blueprime rehearse $(ARGS)

bench: $(READY)
	@set -e; for bench in $(sort $(wildcard benchmarks/bench_*.py)); do $(BIN)/python $$bench; done

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
	  .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
