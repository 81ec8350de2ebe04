PYTHON ?= python3
BIN := .venv/bin

.PHONY: report test check bench peers

report: .venv/.complete
	$(BIN)/python -m reports run

test: .venv/.complete
	$(BIN)/python -m pytest

check: .venv/.complete
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

peers: .venv/.complete
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[peers]'
	$(BIN)/python -m pytest tests/benchmarks/test_peers.py

bench: .venv/.complete
	$(BIN)/asv machine --yes
	$(BIN)/asv run -E existing:$(BIN)/python --set-commit-hash $$(git rev-parse HEAD)

# Complete only once everything is installed: an interrupted installation starts over.
.venv/.complete: pyproject.toml constraints.txt
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench,data,dev]'
	touch $@
