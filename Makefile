# Everything a person types. `make demo` and `make test` set up .venv by themselves; nothing else is needed
# than make and Python 3.11 or newer. constraints.txt names every package with its hash, so pip resolves nothing.
PYTHON ?= python3
PIP_OPTIONS := --quiet --disable-pip-version-check --only-binary :all: --no-deps
BIN := .venv/bin
SET_UP := .venv/set-up

.DEFAULT_GOAL := help
.PHONY: help demo test check bench crash docs tables dist sbom lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-6s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(SET_UP) ## distil on three emulated vendors; no account, about a minute; writes demo-out/report.html
	$(BIN)/cloudistill demo --out demo-out

test: $(SET_UP) ## run the tests, a file at a time on each core, and measure what they cover
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered --numprocesses auto --dist loadfile

check: $(SET_UP) ## formatting, lint, types, and which room may know which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: $(SET_UP) ## run every benchmark in bench/ but peers.py, which downloads 2 GB
	@missed=; for file in $(filter-out bench/_%.py bench/peers.py,$(wildcard bench/*.py)); do echo "$$file"; \
	  $(BIN)/python "$$file" || missed="$$missed $$file"; done; test -z "$$missed" || { echo "missed:$$missed"; exit 1; }

docs: $(SET_UP) ## build the documentation site in build/docs; a warning is an error
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html docs build/docs

tables: $(SET_UP) ## write the reference tables anew from the code and the facts
	$(BIN)/python docs/tables.py
	PYTHONPATH=. $(BIN)/python -m tests.contracts.table

dist: $(SET_UP) ## build wheel and sdist in dist; `make test` tries both in an empty environment
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

lock: ## pin what pyproject.toml asks for in constraints.txt; LOCK_OPTIONS=--upgrade renews every pin (needs uv)
	uv pip compile --quiet $(LOCK_OPTIONS) --no-emit-index-url --no-emit-find-links --generate-hashes --universal \
	  --python-version 3.11 --all-extras --group dev --custom-compile-command 'make lock' \
	  pyproject.toml --output-file constraints.txt

clean: ## remove the environment and everything that was built or measured
	rm -rf .venv demo-out dist build htmlcov .coverage* .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(SET_UP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("cloudistill needs Python 3.11 or newer; \
	$(PYTHON) is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@echo "Setting up .venv (about a minute, once) ..."
	@$(PYTHON) -m venv --clear .venv || { echo "Python's venv module is missing: install it (Debian and Ubuntu: \
	apt-get install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install $(PIP_OPTIONS) --no-build-isolation --editable .
	@touch $@
