# What to do with a checkout. `make` lists the targets; nothing but Python 3.11 or later and its venv is needed.

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; PYTHON=... names another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Real collections beside the checkout are used when they are there; the tests that need them say when they are not.
RERANK_TEST_DATA ?= $(abspath $(wildcard ../shared/data))
DEMO := build/demo

.DEFAULT_GOAL := help
.PHONY: help demo test check gen bench clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(VENV)/.with-all ## Set up, then retrieve, rerank and fuse the demo collection and compare the four
	@mkdir -p $(DEMO)
	$(BIN)/rerank retrieve -c demo -o $(DEMO)/bm25.trec
	$(BIN)/rerank rerank $(DEMO)/bm25.trec -c demo -o $(DEMO)/blend.trec
	$(BIN)/rerank rerank $(DEMO)/bm25.trec -c demo -m minilm -o $(DEMO)/minilm.trec
	$(BIN)/rerank fuse $(DEMO)/bm25.trec $(DEMO)/minilm.trec -m wsum --norm min-max -w 0.2,0.8 -o $(DEMO)/fused.trec
	$(BIN)/rerank eval $(DEMO)/bm25.trec $(DEMO)/minilm.trec $(DEMO)/fused.trec $(DEMO)/blend.trec -c demo -m nDCG@10 --format table

test: $(VENV)/.with-test ## Set up if needed, then run the tests (ARGS='-k name' chooses)
	RERANK_TEST_DATA='$(RERANK_TEST_DATA)' $(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.with-test ## Lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gen: $(VENV)/.with-test ## Write man/, completions/ and docs/methods.md anew from the program
	rm -f man/*.1
	$(BIN)/rerank man --install --dir man
	$(BIN)/rerank completions bash --install --dir completions
	$(BIN)/rerank completions zsh --install --dir completions
	$(BIN)/rerank completions fish --install --dir completions
	$(BIN)/python docs/write_methods.py > docs/methods.md

bench: $(VENV)/.with-test ## Measure what benchmarks/ measures
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

clean: ## Remove the environment and everything that was made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or later is needed; name it with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# One pip command each, so that the bounds of pyproject.toml hold for what other packages ask for too.
$(VENV)/.with-all: pyproject.toml | $(VENV)/bin/python
	@echo "Installing rerank-cli[all] and what it needs into $(VENV); this takes some minutes."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all]'
	@touch $@

$(VENV)/.with-test: pyproject.toml | $(VENV)/bin/python
	@echo "Installing rerank-cli[test] and what it needs into $(VENV); this takes some minutes."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@ $(VENV)/.with-all
