# Everything a developer runs. Needs python3 (3.11 or 3.12) with its venv module, and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Processes that tests start need not compile everything again.
KEEP_BYTE_CODE := PYTHONDONTWRITEBYTECODE=
ONE_THREAD := OMP_NUM_THREADS=1
BENCHMARKS ?= agent token-count augment evaluator search reparam width bits paths update

.DEFAULT_GOAL := help
.PHONY: help setup ray onnx demo test lint format lock bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## make .venv with everything in it; does nothing when it is up to date

# The stamp is removed first and written last, so an interrupted set-up leaves none; a .venv
# without it is of unknown content and is made anew, one with an old stamp is only updated.
$(READY): requirements.lock setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
	    2>/dev/null || { \
	    echo "make: AutoDL needs Python 3.11 or 3.12, and $(PYTHON) is $$($(PYTHON) --version 2>&1);" \
	        "try: make PYTHON=python3.12 setup" >&2; exit 1; }
	@if [ ! -e $(READY) ]; then $(PYTHON) -m venv --clear $(VENV); fi
	@rm -f $(READY)
	@echo "installing requirements.lock into $(VENV) (about a minute) ..."
	@$(PIP) install --quiet --no-deps -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

ray: $(READY) ## add Ray to .venv, for Search.executor=ray (280 MB)
	@$(PIP) install --quiet --no-deps -r requirements-ray.lock

onnx: $(READY) ## add ONNX and ONNX Runtime to .venv, for tools/export_model.py (140 MB)
	@$(PIP) install --quiet --no-deps -r requirements-onnx.lock

demo: $(READY) ## design small networks on real pictures, in under 5 minutes
	@out=runs/demo; if [ -e $$out ]; then out=runs/demo-$$(date +%Y%m%d-%H%M%S); fi; \
	$(BIN)/python tools/search.py -c configs/search/demo.yaml --out $$out && \
	echo "the command autodl: . $(BIN)/activate"

# Each process begins with one half, so that what the tests of a file share is made once.
test: $(READY) ## run the tests; ARGS='-k cell' chooses some
	$(ONE_THREAD) $(KEEP_BYTE_CODE) $(BIN)/pytest -n 2 --dist worksteal $(or $(ARGS),tests)

lint: $(READY) ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## put the code into the form that lint checks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# uv resolves; pip installs. Pins that still fit are kept; ARGS=--upgrade takes the newest.
lock: ## write requirements*.lock from the .in files and overrides.txt
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	$(PYTHON) -m venv "$$scratch" && \
	"$$scratch/bin/python" -m pip install --quiet --disable-pip-version-check uv && \
	compile="$$scratch/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header \
	    --no-annotate --no-emit-index-url --no-emit-find-links" && \
	$$compile $(ARGS) --override overrides.txt --output-file requirements.lock requirements.in && \
	$$compile $(ARGS) --constraint requirements.lock --output-file requirements-ray.lock \
	    requirements-ray.in && \
	$$compile $(ARGS) --override overrides.txt --constraint requirements.lock \
	    --output-file requirements-onnx.lock requirements-onnx.in

bench: $(READY) ## measure; BENCHMARKS='agent augment' chooses some
	@for name in $(BENCHMARKS); do $(BIN)/python tools/bench.py $$name --json || exit 1; done

clean: ## remove caches and build output; keeps .venv and runs
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -prune -exec rm -rf {} +
