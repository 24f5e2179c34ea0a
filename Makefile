# Every target does its own set-up: on a fresh clone, `make demo` or `make test` is all.
# Everything runs on the versions of constraints.txt; .venv-lowest adds the lowest ones.

PYTHON ?= python3
VENV   := .venv
LOWEST := .venv-lowest
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed
READY_LOWEST := $(LOWEST)/.installed

# No test and no demo asks a model hub; one thread a process, so that two fit two cores.
export HF_HUB_OFFLINE := 1
export HF_DATASETS_OFFLINE := 1
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM := false

WORKERS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST_FLAGS := -n $(WORKERS) --dist worksteal -q

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test unit lowest check gates bench docs package clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY)  ## make .venv, with the pinned versions

# torch goes first: with it in place no other package picks a build of its own.
$(READY): pyproject.toml constraints.txt src/datainf/__about__.py
	@echo "installing into $(VENV) (minutes, the first time)"
	@rm -f $@
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install -qq -c constraints.txt "$$(grep '^torch==' constraints.txt)"
	@$(PIP) install -qq -c constraints.txt -e '.[dev,benchmarks]'
	@$(PIP) check
	@touch $@

# The lowest supported versions lie over .venv: its own site-packages come first on the
# path, and a .pth file lends everything else, datainf included.
$(READY_LOWEST): $(READY) constraints-lowest.txt
	@echo "installing the lowest supported versions into $(LOWEST)"
	@rm -rf $(LOWEST)
	@$(BIN)/python -m venv --without-pip $(LOWEST)
	@$(PIP) --python $(LOWEST)/bin/python install -qq --no-deps -r constraints-lowest.txt
	@$(BIN)/python scripts/overlay.py $(LOWEST)
	@touch $@

demo: $(READY)  ## fine-tune a small adapter offline, attribute it, write a report
	@$(BIN)/datainf demo

check: $(READY)  ## format, lint, layers, changelog, types, docs; stops at the first failure
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --no-logo
	$(BIN)/python scripts/check_changelog.py
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

unit: $(READY)  ## the tests with the newest versions, and the coverage gates
	@rm -f .coverage .coverage.*
	$(BIN)/python -m pytest $(PYTEST_FLAGS) --cov --cov-report= --cov-fail-under=0
	$(BIN)/coverage report
	$(BIN)/coverage report --fail-under=100 \
		--include='src/datainf/core/*,src/datainf/linalg/*,src/datainf/store/*'

lowest: $(READY_LOWEST)  ## the tests marked `versions`, with the lowest versions
	$(LOWEST)/bin/python -m pytest tests -m versions $(PYTEST_FLAGS)

# One after the other: the last line is then pytest's own.
test:  ## all that CI runs: check, unit, lowest
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory lowest

gates: $(READY)  ## break a copy once for each gate and see the gate fail (ONLY=name)
	@$(BIN)/python tests/gates/see_red.py $(ONLY)

bench: $(READY)  ## run benchmarks (ONLY=name picks some)
	@$(BIN)/python -m benchmarks $(ONLY)

docs: $(READY)  ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

package: $(READY)  ## build wheel and sdist into dist/, look into them, install the wheel
	@$(BIN)/python -m scripts.check_package

clean:  ## remove environments, caches and outputs
	rm -rf $(VENV) $(LOWEST) site build dist htmlcov .coverage .coverage.* \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache
	find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
