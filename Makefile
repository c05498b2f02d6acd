# The book's commands. `make book` and `make test` are all a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
OLDEST := .venv-oldest
NEWEST := .venv-newest
CH ?=
VERSION ?=
AGAINST ?=
# Tests compile much and compute little, so the compiler tries least: without its emitters of fused loops it needs
# half of the time. (Notebooks are run with more.)
LIGHTLY := XLA_FLAGS="--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false" OPENBLAS_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help book serve service chapter test lint unit coverage test-oldest test-newest pages colab variants numbers benchmark format \
  constraints release clean

help:
	@echo "make book                      run every chapter, build the HTML, print where it is"
	@echo "make test                      everything that CI checks"
	@echo "make serve                     serve the built book on this machine"
	@echo "make service                   the translator of dates, on an address of this machine"
	@echo "make chapter CH=generative/vae run one page, build a preview of it beside the book"
	@echo "make unit                      gdlib's unit tests alone"
	@echo "make coverage                  the same, and which lines of gdlib they miss"
	@echo "make test-oldest               the same on the oldest supported versions"
	@echo "make test-newest               the same on the newest versions and the newest Python here"
	@echo "make colab [CH=generative/vae] every page, or one, as Colab runs it"
	@echo "make variants                  every page as other machines would run it (hours)"
	@echo "make numbers AGAINST=old.json  which of the book's numbers moved since that build's numbers.json"
	@echo "make benchmark                 gdlib against PyTorch and Keras, same work (fetches both)"
	@echo "make format                    format the code, normalise the notebooks"
	@echo "make constraints               pin the newest versions that fit requirements.txt"
	@echo "make release VERSION=0.3.0     version, set-up cells, changelog, commit and tag"
	@echo "make clean                     remove what was built, environments included"

# A script rather than rules here: it has to speak plainly on a machine that lacks venv or a new Python.
.venv/ready: requirements.txt constraints.txt pyproject.toml tools/environment.py
	@$(PYTHON) tools/environment.py .venv

$(OLDEST)/ready: .venv/ready pyproject.toml
	@$(BIN)/python tools/environment.py --oldest $(OLDEST)

$(NEWEST)/ready: .venv/ready pyproject.toml
	@$(BIN)/python tools/environment.py --newest $(NEWEST)

book: .venv/ready
	@$(BIN)/python tools/book.py

serve: .venv/ready
	@test -d build/html || $(BIN)/python tools/book.py
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/html 8000

service: .venv/ready
	@$(BIN)/python -m gdlib.serve

chapter: .venv/ready
	@$(BIN)/python tools/book.py --chapter "$(CH)"

test: lint unit test-oldest pages

lint: .venv/ready
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/basedpyright --level error
	$(BIN)/python tools/scripts.py
	$(BIN)/python tools/notebooks.py --check
	$(BIN)/python tools/release.py --check

unit: .venv/ready
	$(LIGHTLY) $(BIN)/pytest -n 2 --jaxtyping-packages=gdlib,beartype.beartype --doctest-modules gdlib tests/gdlib tests/tools

# Which lines of gdlib no unit test runs. What a compiled step does is seen when it is traced.
coverage: .venv/ready
	$(LIGHTLY) $(BIN)/pytest -n 2 -q --cov=gdlib --cov-report=term-missing:skip-covered --doctest-modules gdlib tests/gdlib

# The oldest matplotlib calls a newer pyparsing by names that it deprecates. What tests the machine, and no version, is
# marked `once` and has run.
test-oldest: $(OLDEST)/ready
	$(LIGHTLY) $(OLDEST)/bin/pytest -n 2 --jaxtyping-packages=gdlib,beartype.beartype -m "not once" \
	  -W ignore::pyparsing.warnings.PyparsingDeprecationWarning

# What is there today, without pins: it may fail for reasons that lie elsewhere, and then says so early.
test-newest: $(NEWEST)/ready
	$(LIGHTLY) $(NEWEST)/bin/pytest -n 2 --jaxtyping-packages=gdlib,beartype.beartype

pages: .venv/ready
	$(BIN)/python tools/book.py --fresh
	$(LIGHTLY) $(BIN)/pytest -n 2 tests/book

colab: .venv/ready
	$(BIN)/python tools/colab.py $(CH)

variants: .venv/ready
	$(BIN)/python tools/variants.py

numbers: .venv/ready
	@$(BIN)/python tools/reported.py --against "$(AGAINST)"

.venv-benchmark/ready: .venv/ready pyproject.toml
	@$(BIN)/python tools/environment.py --benchmark .venv-benchmark

benchmark: .venv-benchmark/ready
	@.venv-benchmark/bin/python benchmarks/run.py

format: .venv/ready
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/python tools/notebooks.py

constraints: .venv/ready
	$(BIN)/uv pip compile --quiet --upgrade --universal --fork-strategy fewest --python-version 3.11 \
	  --no-header --no-annotate --no-emit-index-url requirements.txt pyproject.toml -o constraints.txt

release: .venv/ready
	@$(BIN)/python tools/release.py "$(VERSION)"

clean:
	rm -rf .venv $(OLDEST) $(NEWEST) .venv-benchmark build
