PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --editable

.PHONY: solve test check check-shared bench pictures clean

solve: .venv/local  ## Install with the embedded model, and mend the program in examples/repair.
	@echo "mending examples/repair/totals.py, so that it passes examples/repair/test_totals.py, with the embedded model:"
	$(BIN)/refiner solve examples/repair/totals.py --tests examples/repair/test_totals.py
	@$(BIN)/refiner run show @
	@echo "the trajectory lies in $$($(BIN)/refiner db path): refiner run log @ shows its calls"

test: .venv/dev check  ## Check types, style and layers, then run every test.
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

check: .venv/dev .links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p refiner
	$(BIN)/mypy tests examples benchmarks
	@rm -rf .tree && cp -rL .links .tree
	cd .tree && ../$(BIN)/lint-imports --no-cache --config ../pyproject.toml

check-shared: .venv/dev  ## Check against the shared data sets, where they are.
	REFINER_SHARED="$${REFINER_SHARED:-../shared}" $(BIN)/python -m pytest tests/shared --numprocesses 2

bench: .venv/dev  ## Measure what the README quotes.
	$(BIN)/python -m benchmarks

pictures: .venv/dev  ## Draw the pictures of the README anew.
	$(BIN)/python -m tests.tui.drawing

clean:
	rm -rf .venv .links .tree build *.egg-info

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/local: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) '.[local]'
	@touch $@

.venv/dev: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) '.[local,dev]'
	@touch $@

# mypy sees the package through links; import-linter follows none, so it gets a copy of them.
.links: $(wildcard refiner/*)
	@rm -rf .links && mkdir -p .links/refiner
	@for entry in refiner/*; do ln -s "../../$$entry" ".links/$$entry"; done
	@ln -s ../../policies .links/refiner/policies && ln -s ../../tui .links/refiner/tui
