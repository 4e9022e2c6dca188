# Two commands matter to a newcomer: `make demo` and `make test`. Each sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# Tests start hundreds of interpreters, and each would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-all coverage check mypy pyright collected format setup shop club bench docs dist clean

help:
	@echo "make demo    run a whole payment against the embedded sandbox"
	@echo "make test    every check, and every test that is not slow"
	@echo "make test-all  the slow tests, too"
	@echo "make coverage  the same, and how much of the code they reach"
	@echo "make shop    a shop and the sandbox, wired together; SHOP=shop_flask, shop_django"
	@echo "make club    members who pay every month, on the sandbox; CLUB=club_django"
	@echo "make check   ruff, pyright, mypy, import-linter"
	@echo "make format  rewrite the code in the house style"
	@echo "make bench   measure this package beside its peers"
	@echo "make docs    build the documentation into docs/_build"
	@echo "make dist    build the package, check it, install it alone and run the demo with it"
	@echo "make setup   install everything the above need into $(VENV)"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("payme needs Python 3.11 or newer; run: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

# The demo needs the package alone, so it starts without waiting for the tools.
$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(PIP) -e ".[sandbox,charges]"
	@touch $@

# The browser tests drive Debian's Chromium. It is installed where that can be done without asking;
# elsewhere those tests are skipped, and say which package they miss.
$(VENV)/.setup: pyproject.toml requirements-dev.txt requirements-docs.txt $(VENV)/.demo
	@test -x /usr/bin/chromium || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
		{ apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; } >/dev/null || true
	$(PIP) -r requirements-dev.txt -r requirements-docs.txt \
		-e ".[sandbox,httpx2,qr,sqlalchemy,charges,otel,fastapi,flask,django,procrastinate,celery]"
	@touch $@

setup: $(VENV)/.setup

demo: $(VENV)/.demo
	@$(BIN)/python -m payme.demo

SHOP ?= shop_fastapi
shop: setup
	@$(BIN)/python -m examples.together --shop $(SHOP)

CLUB ?= club_fastapi
club: setup
	@$(BIN)/python -m examples.club.together --club $(CLUB)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@$(MAKE) --no-print-directory -j3 mypy pyright collected
	$(BIN)/lint-imports

# They need twenty seconds and use one processor each.
mypy pyright: setup
	$(BIN)/$@

# What pytest makes of the tests stays on the disk: else every worker would make it at the same time.
collected: setup
	@$(BIN)/python -m pytest --collect-only -qq > $(VENV)/.collected || { cat $(VENV)/.collected; exit 1; }

# Twice as many workers as processors, because tests wait as long as they work. Each takes a stretch
# of the tests, so that what a module sets up is set up in few of them.
WORKERS  = $(shell $(PYTHON) -c 'import os; print(min(2 * (os.cpu_count() or 1), 16))' 2>/dev/null || echo auto)
PARALLEL = -n $(WORKERS) --dist worksteal

test: check
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow"

# Also what takes more than a second: kills, races by the hundred, whole shops in a browser, installs.
test-all: check
	$(BIN)/python -m pytest $(PARALLEL)

coverage: setup
	$(BIN)/python -m pytest $(PARALLEL) --cov=payme --cov-branch --cov-report=term:skip-covered --cov-fail-under=96

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python -m bench

docs: setup
	$(BIN)/python docs/build.py docs/_build

# The demo runs outside of the checkout, on the wheel alone.
dist: setup
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*
	$(PYTHON) -m venv dist/empty
	dist/empty/bin/python -m pip --disable-pip-version-check install --quiet \
		"payme-uz[sandbox,charges] @ file://$(CURDIR)/$$(ls dist/*.whl)"
	cd dist/empty && bin/python -W error -m payme.demo
	rm -rf dist/empty

clean:
	rm -rf dist $(VENV) docs/_build docs/_locale/*/LC_MESSAGES/*.mo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
