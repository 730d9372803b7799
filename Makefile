# Everything a newcomer needs: `make run` and `make test`. Each sets up what it needs, with Python, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run chat test check lint types phoenix bench score clean setup-dev

run: $(VENV)/.train
	@exec $(BIN)/python app.py

chat: $(VENV)/.train
	@exec $(BIN)/python -m assistant

# torch first: a CPU build that satisfies the pin is taken where one is provided.
$(VENV)/.train: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "torch==2.13.*"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train]'
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train,dev]'
	@touch $@

setup-dev: $(VENV)/.dev

# The files in their order: xdist's own, by number of tests, leaves the long ones of few tests to one core at the end.
test: $(VENV)/.dev
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 2; status=$$?; $(BIN)/python -m tests.browser.chromium; exit $$status

check: lint types $(VENV)/.dev
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --max-worker-restart 2 -m "not slow and not browser"

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(BIN)/mypy

# A Phoenix server for tests/trainer/test_phoenix.py, in an environment of its own: it moves packages we pin.
phoenix:
	@test -x .venv-phoenix/bin/phoenix || ($(PYTHON) -m venv .venv-phoenix && .venv-phoenix/bin/python -m pip install --quiet "arize-phoenix>=20,<21")

bench: $(VENV)/.dev
	@$(BIN)/python -m bench

score: $(VENV)/.dev
	@$(BIN)/python -m tests.score

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
