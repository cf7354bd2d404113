# Everything a newcomer types: `make demo` and `make test`. Both create .venv and install what they need.
PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
OUT ?= demo-out

.PHONY: demo test lint unit kernels doctest bench format clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.learn: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[learn]"
	touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@ $(VENV)/.learn

demo: $(VENV)/.learn
	$(BIN)/ambikit-learn demo --out $(OUT) $(if $(DATA),--data "$(DATA)")

test: lint doctest unit kernels

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

doctest: $(VENV)/.dev
	$(BIN)/pytest --doctest-modules ambikit ambikit_learn -q

unit: $(VENV)/.dev
	$(BIN)/pytest -q

# The kernels once more as plain Python: a bug that compilation hides shows here.
kernels: $(VENV)/.dev
	NUMBA_DISABLE_JIT=1 $(BIN)/pytest -q -m "kernel and not slow"

# Peers need an older numpy than ambikit. Without them the rest is measured all the same.
$(PEERS)/bin/python:
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt \
	  || rm -rf $(PEERS)

bench: $(VENV)/.dev $(PEERS)/bin/python
	$(BIN)/python -m benchmarks --peers $(PEERS)/bin/python

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(PEERS) $(OUT) build *.egg-info
