PYTHON ?= python3
BIN := .venv/bin

.PHONY: report test test-all check gate compare bench bench-pytest peers

report: .venv/.complete
	$(BIN)/python -m reports run

test: .venv/.complete
	$(BIN)/python -m pytest

# The slow tests after the quick ones: copies of the repository, whole tools, full sizes.
test-all: test
	$(BIN)/python -m pytest -m slow

check: .venv/.complete
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

# The tests that `make test` skips for want of packages that only they need.
peers: .venv/.complete
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[approximate,peers]'
	$(BIN)/python -m pytest -m 'not performance' tests/benchmarks/test_peers.py \
		tests/benchmarks/test_million.py tests/neighbors/test_nearest.py

gate: .venv/.complete
	$(BIN)/python -m reports gate

# The last commit against the one before, or BASE=... HEAD=... as named.
BASE ?= HEAD~1
HEAD ?= HEAD
compare: .venv/.complete
	$(BIN)/python -m reports compare $(BASE) $(HEAD)

# DIFFBIO_BENCH_TIER=quick, standard (the default) or large says how much is measured.
bench: .venv/.complete
	$(BIN)/asv machine --yes
	$(BIN)/asv run -E existing:$(BIN)/python --set-commit-hash $$(git rev-parse HEAD)

bench-pytest: .venv/.complete
	mkdir -p results
	$(BIN)/python -m pytest tests/performance -n 0 -m performance \
		--benchmark-enable --benchmark-json results/pytest-benchmark.json

# Complete only once everything is installed: an interrupted installation starts over.
.venv/.complete: pyproject.toml constraints.txt
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench,data,dev]'
	touch $@
