# SPDX-License-Identifier: Apache-2.0
# Every target sets up .venv first where it needs one. `make help` lists the targets.
.POSIX:
.PHONY: help demo test check lint fix test-all test-ray fuzz bench serve docs clean

# Name another interpreter with `make PYTHON=/path/to/python3.12 test`.
PYTHON =
BIN = .venv/bin
STAMP = .venv/installed
MARABOU = build/peers/bin/Marabou
MARABOU_PYTHON = python3.11
# Work stealing: the slow tests come last, and would otherwise wait for one worker.
PYTEST = $(BIN)/python -m pytest -n 2 --dist worksteal

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

demo: $(STAMP) ## prove, compress and re-verify a bundled network, with a picture
	$(BIN)/mucg4 demo

test: $(STAMP) ## run all tests but those that take minutes
	$(PYTEST) -q -m "not long"

check: lint ## format, lint, types, layers, quick tests
	$(PYTEST) -q -m "not slow and not long"

lint: $(STAMP) ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(STAMP) ## format, and repair what the linter can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-all: $(STAMP) ## run every test, with branch coverage
	$(PYTEST) -q --cov --cov-report=term

test-ray: $(BIN)/ray ## install Ray, and run the tests of jobs on a cluster
	$(BIN)/python -m pytest -q tests/api/ray

$(BIN)/ray: $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,ray]'
	@touch $@

fuzz: $(STAMP) ## compare the engine with its oracles on random networks, for long
	$(BIN)/python -m benchmarks.fuzz --count 100000

bench: $(STAMP) ## reproduce the measured numbers, for hours
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.scaling --page docs/benchmarks.md
	$(BIN)/python -m benchmarks.profiling --page docs/benchmarks.md
	$(BIN)/python -m benchmarks.service --page docs/benchmarks.md
	$(BIN)/python -m benchmarks.batches acasxu tables pairs zoo frontier --page docs/benchmarks.md \
		--figures docs/images
	$(MAKE) $(MARABOU)
	$(BIN)/python -m benchmarks.peers acasxu-scratch --page docs/benchmarks.md \
	    --peer 'Marabou 2.0.0=$(MARABOU) {network} {property} --timeout={seconds}'

# In an environment of its own, of the newest Python that it is published for.
$(MARABOU):
	$(MARABOU_PYTHON) -m venv --clear build/peers
	build/peers/bin/python -m pip install --quiet maraboupy==2.0.0

serve: $(STAMP) ## run the job server on this machine, with its data in build/server
	$(BIN)/mucg4 serve --data-dir build/server

docs: $(STAMP) ## build the pages into build/docs; a warning is an error
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	$(BIN)/sphinx-build -W --keep-going -b html docs build/docs

clean: ## remove .venv and all that tools made
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf .coverage htmlcov mucg4-demo tutorial
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A .venv whose interpreter has gone (a moved checkout, an upgraded system) is made anew. The
# candidates are run, not only looked up: a version manager may list one that does not start.
$(STAMP): pyproject.toml constraints.txt
	@suits='import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; \
	if ! $(BIN)/python -c "$$suits" 2>/dev/null; then \
	    found=; \
	    for candidate in $(PYTHON) python3.11 python3.12 python3.13 python3; do \
	        if "$$candidate" -c "$$suits" 2>/dev/null; then found=$$candidate; break; fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "mucg4 needs Python 3.11, 3.12 or 3.13 with its venv module; none was found." >&2; \
	        echo "  Debian, Ubuntu:  sudo apt install python3.12 python3.12-venv" >&2; \
	        echo "  Fedora:          sudo dnf install python3.12" >&2; \
	        echo "  macOS:           brew install python@3.12" >&2; \
	        echo "  anywhere:        uv python install 3.12   or   pyenv install 3.12" >&2; \
	        echo "An interpreter elsewhere can be named: make PYTHON=/path/to/python3.12 ..." >&2; \
	        exit 1; \
	    fi; \
	    echo "making .venv with $$found" >&2; \
	    "$$found" -m venv --clear .venv; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)
