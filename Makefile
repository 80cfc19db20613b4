# The front door. `make run` and `make test` need Python 3.11+ (with venv and pip) and make, nothing else.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
SOURCES := annotator_bridge edge models sync installer tools tests
# Newer versions of pip repeat what setuptools says to packagers about editable installs.
PIP_INSTALL := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check
ARGS ?=
# Tests run this many at a time, a module of them each: much of a test is waiting for the appliance, so more than there are cores.
TEST_PROCESSES ?= 3
# PyPI's torch for Linux brings CUDA; the workshop trains on the CPU. Only torch itself is asked for there.
TORCH_PIP_ARGS ?= --extra-index-url https://download.pytorch.org/whl/cpu

.PHONY: help run test test-workshop lint format docs bench bench-peers soak bundle workshop starter starter-multiples clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20
	@echo "Options go in ARGS, such as: make run ARGS=--once"

run: .venv/.installed ## Start the appliance with a demo tow on http://127.0.0.1:8765
	@$(BIN)/imagine-edge demo $(ARGS)

test: .venv/.installed-dev ## Run every test (what the machine lacks is skipped with a reason)
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

test-workshop: .venv/.installed .venv-workshop/.installed-test ## Run the tests of importing, quantising and training (installs torch)
	@.venv-workshop/bin/python -m pytest tests/workshop $(ARGS)

lint: .venv/.installed-dev ## Check style, types, import layers and size caps
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python tools/check_sizes.py

format: .venv/.installed-dev ## Put the sources into the house's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: .venv/.installed-dev ## Write docs/settings.md, docs/cli.md and docs/zooscan-features.md again from the code
	@$(BIN)/python -m tools.write_docs

bench: .venv/.installed-dev ## Measure the appliance against the machine's own limits; prints one JSON document
	@$(BIN)/python -m tests.benchmarks.bench $(ARGS)

bench-peers: .venv/.installed-dev .venv-workshop/.installed ## Measure images per second beside `yolo predict`
	@$(BIN)/python -m tests.benchmarks.bench_peers $(ARGS)

soak: .venv/.installed-dev ## Run the long fault tests (hours)
	@IMAGINE_EDGE_KILL_CYCLES=200 $(BIN)/python -m pytest tests/faults --timeout=14400 $(ARGS)

bundle: .venv/.installed ## Freeze the appliance into dist/imagine-edge (PyInstaller, one folder)
	@$(BIN)/python installer/build.py $(ARGS)

workshop: .venv-workshop/.installed ## Install what trains and quantises models, apart from the appliance

starter: .venv-workshop/.installed ## Train the starter pack again (an hour or more)
	@.venv-workshop/bin/python -m models.workshop $(ARGS)

starter-multiples: .venv-workshop/.installed ## Train the starter pack of ZooScan multiples again (a quarter of an hour)
	@.venv-workshop/bin/python -m models.workshop.multiples $(ARGS)

.venv-workshop/.installed-test: .venv-workshop/.installed models/workshop/requirements-test.txt
	@$(WORKSHOP_PIP) --requirement models/workshop/requirements-test.txt
	@touch $@

clean: ## Remove environments, builds and caches; never a home folder with results
	rm -rf .venv .venv-workshop build dist imagine_edge.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@python=$$(sh tools/find-python.sh $(PYTHON)) && echo "Making .venv with $$python" && "$$python" -m venv .venv

# A new package at the top changes what an editable install must find.
.venv/.installed: pyproject.toml $(wildcard */__init__.py) | .venv/bin/python
	@echo "Installing the appliance into .venv (some minutes, once)"
	@$(PIP_INSTALL) --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed tools/requirements-dev.txt
	@echo "Installing what tests and checks need into .venv"
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@

WORKSHOP_PIP := PYTHONWARNINGS=ignore .venv-workshop/bin/python -m pip install --quiet --disable-pip-version-check
.venv-workshop/.installed: models/workshop/requirements.txt models/workshop/requirements-no-deps.txt
	@echo "Installing the workshop into .venv-workshop (torch and more, about 2 GB)"
	@python=$$(sh tools/find-python.sh $(PYTHON)) && "$$python" -m venv .venv-workshop
	@$(WORKSHOP_PIP) $(TORCH_PIP_ARGS) --no-deps $$(grep '^torch==' models/workshop/requirements.txt)
	@$(WORKSHOP_PIP) --requirement models/workshop/requirements.txt
	@$(WORKSHOP_PIP) --no-deps --requirement models/workshop/requirements-no-deps.txt --editable .
	@touch $@
