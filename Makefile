# Everything runs in .venv, made on first use and again only when the pins change.
# PIP_ARGS reaches every pip call, e.g. PIP_ARGS="--index-url https://…" or "--no-cache-dir".
PYTHON ?= python3
PIP_ARGS ?=
BIN := .venv/bin
DEMO ?= demo-warehouse
# How many processes run tests, and where their JUnit reports lie.
JOBS ?= 2
REPORTS ?= .reports

.PHONY: demo dashboard test lint docs bench bench-large clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[plm,charts,dashboard,landscape,interpret,remote,anndata]'
	touch $@

# Tests need the classes of dictionary-learning alone; what it draws in (by nnsight, a torchvision for
# another build of torch) keeps transformers from loading.
.venv/installed-test: .venv/installed
	$(BIN)/pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[plm,charts,dashboard,landscape,interpret,remote,anndata,test]'
	$(BIN)/pip install --quiet $(PIP_ARGS) -c constraints.txt --no-deps dictionary-learning
	touch $@

# An object store that others wrote, for one test; it wants an older python-dateutil than the rest has.
.venv-moto/installed:
	$(PYTHON) -m venv .venv-moto
	.venv-moto/bin/pip install --quiet $(PIP_ARGS) 'moto[server]==5.2.5'
	touch $@

demo: .venv/installed
	$(BIN)/interplm-wh -w $(DEMO) demo

dashboard: .venv/installed
	$(BIN)/interplm-wh -w $(DEMO) dashboard

# A browser has deadlines: its tests come second and alone. Status 5: no test of the kind was chosen.
# Each process has one thread for small tensors: more would wait for each other.
test: .venv/installed-test
	INTERPLM_WH_MOTO=$(wildcard .venv-moto/bin/moto_server) \
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder \
		-m "not browser" --junit-xml=$(REPORTS)/tests.xml $(PYTEST_ARGS) || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m browser --junit-xml=$(REPORTS)/browser.xml $(PYTEST_ARGS) || [ $$? -eq 5 ]

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint sql

docs: .venv/installed-test
	$(BIN)/python -m interplm_wh.docs

bench: .venv/installed-test
	$(BIN)/python -m benchmarks

# What takes hours: a billion activations, what is added to 192 million, the cost model.
bench-large: .venv/installed-test
	$(BIN)/python -m benchmarks large append cost encoding-cost

clean:
	rm -rf .venv .venv-moto $(DEMO) $(REPORTS)
