# Every target sets up what it needs; `make help` lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Idle OpenMP threads sleep instead of spinning: on shared cores that is worth a factor of four.
export OMP_WAIT_POLICY ?= passive
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help
.PHONY: help setup demo test check dev bench clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

setup: $(READY)  ## make the environment, alone

demo: $(READY)  ## run the whole story on real flights (PROFILE=smoke for the short one)
	$(BIN)/mlops demo --profile $(or $(PROFILE),full)

test: $(READY)  ## run the test suite
	$(BIN)/python -m pytest

check: $(READY)  ## lint, types, room rules, Dagster definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/dg check defs

dev: $(READY)  ## start Dagster, MLflow and the serving node on loopback; Ctrl-C stops them
	$(BIN)/mlops dev

bench: $(READY)  ## run every benchmark quickly
	@for file in benchmarks/[a-z]*.py; do $(BIN)/python $$file --quick || exit 1; done

clean:  ## remove the state folder
	rm -rf .mlops
