# Everything here runs in .venv, which is made on first use; nothing is installed globally.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export PIP_DISABLE_PIP_VERSION_CHECK := 1

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# PYTHON=... on the command line or in the environment comes first; each candidate is run, since a name alone proves nothing.
CANDIDATES := $(PYTHON) python3 python3.13 python3.12 python3.11
IS_USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

.PHONY: help test lint demo bench clean distclean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1#\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '#' 2>/dev/null \
		|| sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1  \2/p' $(firstword $(MAKEFILE_LIST))

test: lint ## all checks and all tests; arguments for pytest go into ARGS=
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: $(STAMP) ## ruff (lint and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

demo: $(STAMP) ## flash a virtual board with real flashers, then see one fail as in the forum
	$(BIN)/python examples/demo/run.py $(ARGS)

bench: $(STAMP) ## benchmarks, each against its named baseline
	$(BIN)/python benchmarks/run.py $(ARGS)

clean: ## remove build output and caches
	rm -rf build dist .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -not -path './.tox/*' -prune -exec rm -rf {} +

distclean: clean ## clean, and remove .venv and .tox as well
	rm -rf $(VENV) .tox

$(STAMP): pyproject.toml
	@if ! $(BIN)/python -c '$(IS_USABLE)' 2>/dev/null; then \
		chosen=; \
		for candidate in $(CANDIDATES); do \
			if "$$candidate" -c '$(IS_USABLE)' 2>/dev/null; then chosen=$$candidate; break; fi; \
		done; \
		if [ -z "$$chosen" ]; then \
			echo 'No usable Python: this needs Python 3.11 or newer with the modules venv and ensurepip. Tried:' >&2; \
			for candidate in $(CANDIDATES); do \
				if version=$$("$$candidate" --version 2>/dev/null); then \
					if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
						echo "  $$candidate: $$version, but without venv or ensurepip (Debian: apt install python3-venv)" >&2; \
					else \
						echo "  $$candidate: $$version, too old" >&2; \
					fi; \
				else \
					echo "  $$candidate: not found, or does not run" >&2; \
				fi; \
			done; \
			echo 'Install one, or name it: make PYTHON=/path/to/python3.11 ...' >&2; \
			exit 1; \
		fi; \
		echo "Making $(VENV) with $$("$$chosen" --version)"; \
		"$$chosen" -m venv --clear $(VENV); \
	fi
	@echo 'Installing flashcore and its development tools into $(VENV)'
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --group dev --editable '.[esptool]'
	@touch $@
