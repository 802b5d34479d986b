# Everything runs in .venv, made on first use and again only when the pins change.
# PIP_ARGS reaches every pip call, e.g. PIP_ARGS="--index-url https://…" or "--no-cache-dir".
PYTHON ?= python3
PIP_ARGS ?=
BIN := .venv/bin
DEMO ?= demo-warehouse

.PHONY: demo dashboard test lint docs bench clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[plm,charts,dashboard,landscape,interpret]'
	touch $@

# Tests need the classes of dictionary-learning alone; what it draws in (by nnsight, a torchvision for
# another build of torch) keeps transformers from loading.
.venv/installed-test: .venv/installed
	$(BIN)/pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[plm,charts,dashboard,landscape,interpret,test]'
	$(BIN)/pip install --quiet $(PIP_ARGS) -c constraints.txt --no-deps dictionary-learning
	touch $@

demo: .venv/installed
	$(BIN)/interplm-wh -w $(DEMO) demo

dashboard: .venv/installed
	$(BIN)/interplm-wh -w $(DEMO) dashboard

test: .venv/installed-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint sql

docs: .venv/installed-test
	$(BIN)/python -m interplm_wh.docs

bench: .venv/installed-test
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv $(DEMO)
