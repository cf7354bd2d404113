# Everything a newcomer types: `make demo` and `make test`. Both install what they need into .venv,
# at the versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
ifeq ($(OS),Windows_NT)
  BIN := $(VENV)/Scripts
else
  BIN := $(VENV)/bin
endif
OUT ?= demo-out
# Processes that run tests side by side; each computes on one thread.
JOBS ?= logical
PYTEST := $(BIN)/python -m pytest -q -n $(JOBS) --maxprocesses 8
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint types unit kernels slow environment environment-learn lock versions \
  portability dist release bench format clean

demo: environment-learn
	$(BIN)/ambikit-learn demo --out $(OUT) $(if $(DATA),--data "$(DATA)")

test: lint types unit kernels

environment:
	@$(PYTHON) tools/environment.py dev --venv $(VENV)

environment-learn:
	@$(PYTHON) tools/environment.py learn --venv $(VENV)

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: environment
	$(BIN)/mypy

# Tests, and the examples of docstrings.
unit: environment
	OMP_NUM_THREADS=1 $(PYTEST) --doctest-modules ambikit ambikit_learn tests

# The kernels once more as plain Python: a bug that compilation hides shows here.
kernels: environment
	OMP_NUM_THREADS=1 NUMBA_DISABLE_JIT=1 $(PYTEST) -m "kernel and not slow"

# What takes minutes, one test after the other.
slow: environment
	$(BIN)/python -m pytest -q -m slow

# Renew constraints.txt: the newest releases that the ranges of pyproject.toml admit.
lock: environment
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url \
	  --custom-compile-command "make lock" --extra dev pyproject.toml --output-file constraints.txt

# The tests on every supported Python, with the lowest, the locked and the newest dependencies.
versions: environment
	$(BIN)/python tools/versions.py $(ROWS)

# The tests as other processors, numbers of threads, loads and orders would run them. Some of it:
# make portability SETTINGS="torch-avx2 loaded" TESTS=tests/ambikit; RESUME=1 after a stop.
portability: environment
	$(BIN)/python tools/portability.py $(SETTINGS) $(if $(RESUME),--resume) \
	  $(if $(TESTS),--tests $(TESTS))

# Build sdist and wheel, and try the wheel alone in an environment elsewhere.
dist: environment
	$(BIN)/python tools/dist.py

# Set the version everywhere: make release VERSION=0.2.0
release: environment
	$(BIN)/python tools/release.py $(VERSION)

# Peers need an older numpy than ambikit. Without them, the other measurements still run.
$(PEERS)/bin/python:
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet -r benchmarks/peers.txt || rm -rf $(PEERS)

bench: environment $(PEERS)/bin/python
	$(BIN)/python -m benchmarks --peers $(PEERS)/bin/python

format: environment
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(PEERS) $(OUT) build dist *.egg-info
