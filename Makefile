# make run    a first run, from a fresh clone
# make test   what every change must pass
# make gpu    what touches a GPU: its tests, then speeds and memory; DEVICE=cpu tries it without one,
#             WHEELS=DIR installs from a folder (pip wheel --wheel-dir DIR '.[test]') and no network

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SETTLED := pyproject.toml constraints.txt

DEVICE ?= cuda
GPU_VENV ?= .venv-gpu

.PHONY: run test lint types tests gpu docs clean
.DELETE_ON_ERROR:

run: $(VENV)/installed
	$(BIN)/leukreg run experiments/v4.toml

test: lint types tests

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-for-tests
	$(BIN)/mypy && $(BIN)/mypy benchmarks

# One thread for each worker: torch's own threads would fight over the cores.
tests: $(VENV)/installed-for-tests
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest \
	  --numprocesses=auto --maxprocesses=8 --dist=loadgroup

gpu: $(GPU_VENV)/installed
	PYTHONPATH=.:plugins:gan $(GPU_VENV)/bin/python benchmarks/gpu.py --device $(DEVICE)

# With the torch of the machine: one from the index may not know its card.
$(GPU_VENV)/installed: $(SETTLED)
	$(PYTHON) -m venv --system-site-packages $(GPU_VENV)
	$(GPU_VENV)/bin/python -m pip install $(if $(WHEELS),--no-index --find-links $(WHEELS)) \
	  . 'pytest>=8.2' 'hypothesis>=6.100'
	touch $@

# The pages that are made from the code; a test holds them to it.
docs: $(VENV)/installed-for-tests
	$(BIN)/leukreg recipe --markdown > docs/recipe.md
	$(BIN)/python -c 'from leukreg.scaffold.contracts import page; print(page(), end="")' \
	  > docs/plugins.md

# The venv's python is newer than the stamps after nothing but its making, so it is order-only.
$(VENV)/installed: $(SETTLED) | $(BIN)/python
	$(BIN)/python -m pip install --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-for-tests: $(SETTLED) | $(BIN)/python
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[test]'
	touch $@ $(VENV)/installed

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "leukreg needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) $(GPU_VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
