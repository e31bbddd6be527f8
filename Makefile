# Thin targets over `python -m …`. The first one that needs it makes .venv; nothing else is touched.

VENV ?= .venv
ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := $(VENV)/Scripts
else
PYTHON ?= python3
BIN := $(VENV)/bin
endif
PY := $(BIN)/python
READY := $(VENV)/.ready
PROTO_DIR ?= proto
OUT ?= generated

.PHONY: help demo test test-pure test-deep coverage generate compile check watch lint types docs
.PHONY: bench bench-guard build clean

help: ## Show the targets.
	@$(PYTHON) -c "import re; [print(f'{n:12}{t}') for n, t in re.findall(r'^([a-z-]+):.*## (.*)', open('Makefile').read(), re.M)]"

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@$(PY) -c "open('$(READY)', 'w').close()"

demo: $(READY) ## Show the main job against a simulator.
	@$(PY) -m zb_mom_ww_mxgateway_cli demo

test: $(READY) ## Run the tests.
	$(PY) -m pytest -n auto --dist worksteal

test-pure: $(READY) ## Run the tests of codecs and values with the codecs interpreted.
	$(PY) tests/interpreted.py -n auto --dist worksteal

test-deep: $(READY) ## Run the tests with many more examples, those of the codecs interpreted too.
	$(PY) -m pytest -n auto --dist worksteal --hypothesis-profile=deep
	$(PY) tests/interpreted.py -n auto --dist worksteal --hypothesis-profile=deep

coverage: $(READY) ## Run the tests and hold lines and branches of src above 95 %.
	$(PY) -m pytest -n auto --dist worksteal --cov --cov-report=term

generate: $(READY) ## Generate the package from PROTO_DIR into OUT.
	$(PY) -m codegen generate --proto-dir $(PROTO_DIR) --out $(OUT)

compile: $(READY) ## Compile the codecs anew; changed ones are interpreted until then.
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --editable .

check: $(READY) ## Hold generated/ against the contract, the contract against its last release, and lint.
	$(PY) -m codegen check --proto-dir $(PROTO_DIR) --out $(OUT)
	$(PY) -m codegen breaking --proto-dir $(PROTO_DIR)
	$(MAKE) --no-print-directory lint types

lint: $(READY) ## Check style.
	$(PY) -m ruff check
	$(PY) -m ruff format --check

types: $(READY) ## Check types with mypy and pyright, both strict.
	$(PY) -m mypy
	$(PY) -m pyright --pythonpath $(PY)

watch: $(READY) ## Generate on every save.
	$(PY) -m codegen watch --proto-dir $(PROTO_DIR) --out $(OUT)

docs: $(READY) ## Write the command reference from the commands.
	$(PY) docs/command_reference.py

bench: $(READY) ## Measure the SDK next to its peers and print one table (10 minutes).
	$(PY) -m bench

bench-guard: $(READY) ## Hold the speed of codecs and values against the committed baseline (30 seconds).
	$(PY) -m bench.guard

build: $(READY) ## Build the wheel into dist/.
	$(PY) -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## Remove what the targets made.
	$(PYTHON) -c "import shutil; [shutil.rmtree(d, True) for d in ('$(VENV)', 'dist', '.mypy_cache', '.pytest_cache', '.ruff_cache', '.hypothesis', '.bench', 'build')]"
