# `make` prints the verbs. Only python3 (3.11 to 3.13, with venv), make and the package registries are assumed.
.DEFAULT_GOAL := help
PYTHON ?= python3
export REFUNDS_ROOT := $(CURDIR)
# Hundreds of short-lived processes import the same modules: what is compiled once is kept, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE
UV := .tools/bin/uv
BIN := .venv/bin

help: ## Print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready node_modules/.ready ## Make .venv and fetch the pinned binaries

demo: setup ## Play real refunds on a real local stack and print where the money went
	@$(BIN)/refunds demo

up: setup ## Start the same stack and keep it running (Ctrl-C stops it)
	@$(BIN)/refunds up

test: setup ## Run every test
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

test-crash: setup ## Kill workers at every point, in every mode, on both rails (takes many minutes)
	CRASH_MATRIX=whole $(BIN)/pytest -n 0 tests/crash

test-matrix: setup ## Play the card rail's fault matrix on a whole stack, with real kills (takes many minutes)
	CARD_MATRIX=whole $(BIN)/pytest -n 0 tests/crash/test_card_matrix_whole.py tests/crash/test_card_matrix_webhooks.py

fuzz: setup ## Make up calls from the OpenAPI document for many minutes (FUZZ_EXAMPLES, FUZZ_SEED)
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-300} FUZZ_SEED=$${FUZZ_SEED:-1} $(BIN)/pytest -n 0 tests/fuzz

check: setup ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Measure the service beside a bare workflow, or one rail beside its provider (RAIL=card|crypto)
	@$(BIN)/python -m bench $(if $(RAIL),--rail $(RAIL)) $(BENCH)

chaos: setup ## Refunds under every fault at once (RAIL=crypto|card N=100 SEED=… DB=sqlite|postgres PROFILE=… BUG=…)
	@$(BIN)/python -m chaos --rail $(or $(RAIL),crypto) --count $(or $(N),100) --database $(or $(DB),sqlite) \
		$(if $(SEED),--seed $(SEED)) $(if $(ENDPOINTS),--endpoints $(ENDPOINTS)) $(if $(PROFILE),--profile $(PROFILE)) $(if $(BUG),--bug $(BUG))

chaos-bugs: setup ## Plant each known mistake in turn and see that chaos catches it (takes many minutes)
	CHAOS_BUGS=all $(BIN)/pytest -n 0 tests/chaos/test_planted_bugs.py

history: setup ## Record the histories of the main paths anew, beside those that are there
	$(BIN)/python -m tests.workflows.recording

lock: .tools/bin/uv ## Write the lock files anew (hashes, no addresses)
	$(UV) pip compile -q tools.in --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' -o tools.lock
	$(UV) pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' -o requirements.lock
	$(UV) pip compile -q pyproject.toml --group dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' -o requirements-dev.lock

.tools/bin/uv: tools.lock
	@test -x .tools/bin/pip || $(PYTHON) -m venv .tools || { echo "python3 with its venv module is needed (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@.tools/bin/pip install -q --disable-pip-version-check --require-hashes -r tools.lock || { echo "the Python package registry could not be reached, or a hash did not match" >&2; exit 1; }
	@touch $@

# Two steps in this order: `-e .` is refused under --require-hashes, and `sync` would remove the project again.
.venv/.ready: requirements-dev.lock .tools/bin/uv pyproject.toml
	@$(UV) venv -q --allow-existing --no-python-downloads --python .tools/bin/python .venv
	@$(UV) pip sync -q --compile-bytecode --require-hashes --python $(BIN)/python requirements-dev.lock || { echo "the Python package registry could not be reached, or a hash did not match" >&2; exit 1; }
	@$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation --no-index -e .
	@touch $@

# The node binary runs without Node; only fetching it needs npm, which the Python environment brings along.
node_modules/.ready: package.json package-lock.json .npmrc .venv/.ready
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || { echo "the npm registry could not be reached, or a hash did not match" >&2; exit 1; }
	@test -x node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil || { echo "npm left no anvil binary behind" >&2; exit 1; }
	@touch $@

.PHONY: help setup demo up test test-crash test-matrix fuzz check bench chaos chaos-bugs history lock
