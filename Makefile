# Needs Python 3.8 or newer and nothing else; everything is installed into .venv.

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
ARGS ?=
# Where the example site keeps its files: local (folders of example/run), memory, azure, gcs; or S3.
BACKEND ?=
DEMO = $(VENV)/.demo $(addprefix $(VENV)/.,$(filter azure gcs,$(BACKEND)))
# Another name for the distribution, read by setup.py. What is installed into .venv keeps the normal name.
DIST_NAME ?=
unexport DIST_NAME

# Twice as many processes as cores, because many tests wait for servers. To debug: make test JOBS=0
JOBS ?= auto
JS := smart_storages/uploads/js
PYTEST := $(PY) -m pytest -n $(JOBS) --dist worksteal

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help architecture table pictures demo docs docs-test site test slow soak coverage mutate lint matrix bench build js clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  ARGS are passed on: make test ARGS='-k proxy', make bench ARGS='clients urls'"

demo: $(DEMO) ## Upload files to thirteen buckets through the example site; BACKEND=local, memory, azure, gcs
	PRESS_BACKEND='$(BACKEND)' $(PY) example/demo.py $(ARGS)

site: $(DEMO) ## The same as demo, but keep the site running and print its address
	PRESS_BACKEND='$(BACKEND)' $(PY) example/demo.py --serve $(ARGS)

test: $(VENV)/.test ## Run the suite; with Ceph installed, against a real S3 server too
	$(PYTEST) $(ARGS)

slow: $(VENV)/.test ## Run the tests that build, install, or kill processes for minutes
	$(PYTEST) -m 'slow and not soak' $(ARGS)

soak: $(VENV)/.test ## Run the tests that repeat their cases for many minutes
	$(PYTEST) -m soak $(ARGS)

coverage: $(VENV)/.coverage ## Run the suite and list the branches that it does not cover
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest -n $(JOBS) --dist worksteal $(ARGS)
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

mutate: $(VENV)/.mutate ## Change lines of three rooms one by one, and list the changes that no test notices
	$(PY) -m tests.servers $(VENV)/bin/mutmut run $(ARGS)
	$(VENV)/bin/mutmut results

lint: $(VENV)/.test $(VENV)/.lint ## Check style, types and the direction of imports
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pytest -q -m '' tests/test_architecture.py

matrix: $(VENV)/.matrix ## Run the suite on the oldest, the middle and the newest versions
	$(PY) -m nox $(ARGS)

architecture: $(VENV)/.made ## Write the table of rooms into docs/architecture.md
	$(PY) -m tests.architecture

docs: $(VENV)/.docs ## Write the site of the documentation to docs/_build/html; a warning or a dead link is an error
	$(PY) -m sphinx --builder html --fail-on-warning --keep-going --quiet docs docs/_build/html $(ARGS)
	$(PY) -m tests.dead_links docs/_build/html

docs-test: docs $(VENV)/.test ## Build the site, and run the tests that read or run the documentation
	$(PYTEST) -m 'documentation and not soak' $(ARGS)

table: $(VENV)/.test ## Measure what each backend can do; write the table into docs/backends.md
	$(PY) -m tests.contract.table

pictures: $(VENV)/.test ## Draw and photograph the pictures of README and docs; needs Chromium and Ceph
	$(PY) -m docs._pictures $(ARGS)

bench: $(VENV)/.bench ## Compare with django-storages and boto3; write figures and plots to bench/
	$(PY) -m benchmarks $(ARGS)

build: $(VENV)/.test ## Build sdist and wheel into dist/; DIST_NAME=... gives them another name
	rm -rf dist build
	DIST_NAME='$(DIST_NAME)' $(PY) -m build

js: ## Build the script of smart_storages.uploads from its TypeScript; needs Node.js and npm
	npm ci --prefix $(JS) --no-fund --no-audit
	npm run --prefix $(JS) build

clean: ## Remove everything that was generated, including .venv
	rm -rf $(VENV) build dist docs/_build docs/reference mutants *.egg-info .nox .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage* example/run $(JS)/node_modules

# A stamp file for each extra of pyproject.toml, so that a second run installs nothing.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 8))' || { \
		echo "Python 3.8 or newer is needed: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "This Python has no venv or ensurepip. Debian and Ubuntu: apt-get install python3-venv" >&2; \
		echo "Elsewhere, choose another: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.%: $(VENV)/.made pyproject.toml setup.py
	$(PY) -m pip install --quiet --editable '.[$*]'
	touch $@
