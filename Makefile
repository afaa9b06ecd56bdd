# make audit   train, register and audit the example's mortgage model; the report is build/credit/report/report.html and report.pdf
# make test    linter, types, fast tests, slow tests
# make mutants mutation testing of core and engine, an hour or two; goes on where it was broken off (docs/reliability.md)
# Each does its own set-up in .venv; PYTHON=python3.12 chooses an interpreter.

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n 2
# Tests start hundreds of processes: without compiled files each of them would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: audit test lint mutants clean FORCE

audit: .venv/ready-run
	PATH="$(CURDIR)/$(BIN):$$PATH" bash examples/credit/run.sh build/credit

test: lint
	$(PYTEST) --dist worksteal -m "not slow"
	$(PYTEST) --dist loadfile -m slow

lint: .venv/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# not part of `make test`; MUTANTS="core/measures --workers 1" takes a part
mutants: .venv/ready-test
	$(BIN)/python tools/mutants.py $(MUTANTS)

# PYTHON given: set-up looks whether .venv is of that version
.venv/ready-%: pyproject.toml constraints.txt tools/setup.sh $(if $(PYTHON),FORCE)
	bash tools/setup.sh $*

clean:
	rm -rf .venv build dist
