PYTHON ?= python3
BIN := .venv/bin

# Settings of pip that would install beside the environment.
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT

.PHONY: report claims test test-all check gate matrix compare bench bench-pytest peers docs tutorials dist

# TIER says how much is measured: quick or standard.
TIER ?= quick
report: .venv/.measuring
	$(BIN)/python -m reports run --tier $(TIER)

# Puts the claims to the test, within half an hour on two cores; an interrupted run goes on.
claims: .venv/.complete
	$(BIN)/python -m benchmarks claims
	$(BIN)/python -m reports claims

test: .venv/.complete
	$(BIN)/python -m pytest

# The slow tests run after the quick ones: they take copies of the repository and full sizes.
test-all: test
	$(BIN)/python -m pytest -m slow

# The quick tests with each Python that this machine has, and the oldest, pinned and newest packages.
matrix: .venv/.complete
	$(BIN)/nox

check: .venv/.complete
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

# Installs the packages that only some tests need, and runs these tests, which `make test` skips.
peers: .venv/.complete
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[claims,peers]'
	$(BIN)/python -m pytest -m 'not performance' tests/benchmarks/test_peers.py
	$(BIN)/python -m pytest tests/torch tests/test_docstrings.py tests/test_documentation.py \
		tests/test_import.py -k torch

# Builds the site without a network, and opens every page of it in a browser.
docs: .venv/.docs
	$(BIN)/python -m reports rebuild --output docs/_build/beside/reports
	$(BIN)/python -m sphinx -E -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/python -m pytest -n 0 tests/docs

# Executes the tutorials again, on cells that are fetched once, and keeps what they print.
tutorials: .venv/.docs
	$(BIN)/jupyter execute --inplace docs/tutorials/*.ipynb

# Builds what a release uploads, and imports the wheel in an environment that has nothing else.
dist: .venv/.complete
	rm -rf dist build
	$(BIN)/python -m build --quiet --outdir dist
	$(BIN)/python -m twine check --strict dist/*
	$(PYTHON) -m venv --clear build/empty
	build/empty/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd build && empty/bin/python -c "import diffbio, diffbio.losses; print(diffbio.__version__)"

gate: .venv/.measuring
	$(BIN)/python -m reports gate

# Compares the last commit with the one before, or any two: make compare BASE=... HEAD=...
BASE ?= HEAD~1
HEAD ?= HEAD
compare: .venv/.measuring
	$(BIN)/python -m reports compare $(BASE) $(HEAD)

# DIFFBIO_BENCH_TIER says how much is measured: smoke, quick, standard (the default) or large.
# asv keeps the figures under the commit, so that nothing is measured with uncommitted changes.
bench: .venv/.measuring
	$(BIN)/asv machine --yes
	commit=$$($(BIN)/python -m benchmarks commit) && \
		$(BIN)/asv run -E existing:$(BIN)/python --set-commit-hash $$commit

bench-pytest: .venv/.complete
	mkdir -p results
	$(BIN)/python -m pytest tests/performance -n 0 -m performance \
		--benchmark-enable --benchmark-json results/pytest-benchmark.json

# What measures is installed first, so that a report need not wait for the rest. A marker is written
# after everything is installed: an interrupted installation starts over.
.venv/.measuring: pyproject.toml constraints.txt
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench,data,train]'
	touch $@

.venv/.complete: .venv/.measuring
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

.venv/.docs: .venv/.complete
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[claims,docs]'
	touch $@
