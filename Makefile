PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check install --quiet -c constraints.txt

.PHONY: solve test check check-shared bench clean

# mypy sees the package through links, import-linter (which follows none) through a copy of them.
.links: $(wildcard refiner/*)
	@rm -rf .links .tree && mkdir -p .links/refiner
	@for entry in refiner/*; do ln -s "../../$$entry" ".links/$$entry"; done
	@ln -s ../../policies .links/refiner/policies && ln -s ../../tui .links/refiner/tui

check: .links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p refiner && $(BIN)/mypy tests examples benchmarks
	@rm -rf .tree && cp -rL .links .tree
	cd .tree && ../$(BIN)/lint-imports --no-cache --config ../pyproject.toml
