# Every target brings its own environment: python3 (3.11 or newer), make and git are enough.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

PORT ?= 8000
DATA ?= .data

# Every process of ours loads the same few hundred modules: none compiles them again.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
PIP := $(BIN)/python -m pip -qq

# $(call option,--name,VALUE): the option when the value is not empty.
option = $(if $(strip $(2)),$(1) '$(strip $(2))')
# $(call switch,--name,VALUE): the switch when the value is given and not 0.
switch = $(if $(filter-out 0,$(strip $(2))),$(1))

.DEFAULT_GOAL := help
.PHONY: help install run credentials test check demo replay bench contract audit migration openapi lock clean

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY) ## Create the environment from requirements.lock, again only when that has changed

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: give one with PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python && $(BIN)/python -m pip --version >/dev/null 2>&1 || \
	  { echo "Creating $(VENV) ..."; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing the locked packages (once; a minute or two) ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@

run: $(READY) ## Start the shop in the foreground [PORT=8000] [DATA=.data]; Ctrl-C stops it
	@exec env PORT='$(PORT)' DATA='$(DATA)' $(BIN)/commerce up

credentials: $(READY) ## Print the credentials of the running shop [DATA=.data] [JSON=1]
	@exec env DATA='$(DATA)' $(BIN)/commerce credentials $(call switch,--json,$(JSON))

test: $(READY) ## Run the tests [ARGS="-k cart"]
	@exec $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: $(READY) ## Check format, lint, types, layers and the OpenAPI snapshot, without running the shop
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy commerce tests fixtures
	$(BIN)/lint-imports
	$(BIN)/commerce openapi --check

demo: $(READY) ## Tell the story through HTTP on a temporary shop [CHAPTER=story|stock|people] [FAST=1]
	@exec $(BIN)/commerce demo $(call option,--chapter,$(CHAPTER)) $(call switch,--fast,$(FAST))

replay: $(READY) ## Replay a real retailer's invoices FILE=online-retail.csv.xz [ALL=1] [DATA=.replay]
	@test -n '$(FILE)' || { echo "Give the file: make replay FILE=online-retail.csv.xz" >&2; exit 2; }
	@exec $(BIN)/commerce replay '$(FILE)' $(call switch,--all,$(ALL))

bench: $(READY) ## Measure speed against floor and marks [ONLY=place|hot|scale|availability] [JSON=path] [SECONDS=3]
	@exec $(BIN)/python -m tests.bench $(call option,--only,$(ONLY)) $(call option,--json,$(JSON)) $(call option,--seconds,$(SECONDS))

contract: $(READY) ## Test the whole OpenAPI at length [EXAMPLES=200] [ARGS=...]
	@exec env CONTRACT_EXAMPLES='$(or $(EXAMPLES),200)' $(BIN)/python -m pytest -n 2 --dist worksteal tests/contract $(ARGS)

audit: $(READY) ## Check the books of the running shop [DATA=.data]
	@exec env DATA='$(DATA)' $(BIN)/commerce audit

migration: $(READY) ## Write a migration from the tables MESSAGE="add wallets"; needs the running shop
	@test -n '$(MESSAGE)' || { echo 'Say what changes: make migration MESSAGE="add wallets"' >&2; exit 2; }
	@exec env DATA='$(DATA)' $(BIN)/alembic revision --autogenerate -m '$(MESSAGE)'

openapi: $(READY) ## Write the OpenAPI snapshot
	@exec $(BIN)/commerce openapi

lock: ## Resolve the dependencies of pyproject.toml anew into requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
	  --no-emit-index-url --no-header --output-file requirements.lock pyproject.toml

clean: ## Remove the environment and caches; with ALL=1 the shop's data too [DATA=.data]
	@$(if $(filter-out 0,$(ALL)),$(PYTHON) -m commerce.embedded remove '$(DATA)' && $(PYTHON) -m commerce.embedded remove .bench/chain && rm -rf .replay .bench)
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	@find commerce tests fixtures migrations -type d -name __pycache__ -prune -exec rm -rf {} +
