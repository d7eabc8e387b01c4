# make serve: set up what serving needs and serve the released bundle. make test: set up everything and test it.
# make train: make the bundle from the data; stopped, it goes on where it was. All pinned by requirements.lock.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --no-compile --constraint requirements.lock
# On all cores; pip takes one. Some packages hold templates that are no Python, which is no fault.
COMPILE := $(BIN)/python -m compileall -qq -j 0 .venv/lib || true
PORT ?= 3000
# Not ?=: some shells and toolchains have a HOST of their own in the environment.
HOST = $(or $(BENTOML_HOST),0.0.0.0)
export BENTOML_DO_NOT_TRACK = true

.PHONY: serve setup test train lint docs lock sbom audit clean

serve: .venv/serve.done
	$(BIN)/bentoml serve --host $(HOST) --port $(PORT)

# All that training and the tests need, without running them.
setup: .venv/all.done

test: .venv/all.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

train: .venv/all.done
	$(BIN)/train run --resume

lint: .venv/all.done
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/all.done
	$(BIN)/typer serving.cli utils docs --name stance --output docs/cli.md
	$(BIN)/typer training.cli utils docs --name train --output docs/train.md

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/serve.done: .venv/bin/python requirements.lock pyproject.toml
	$(PIP) --editable .
	$(COMPILE)
	touch $@

.venv/all.done: .venv/bin/python requirements.lock pyproject.toml
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[train,peers,batch,ray,report,dev]'
	$(COMPILE)
	touch $@ .venv/serve.done

lock: .venv/bin/python
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --all-extras --strip-extras --no-annotate --no-header --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --no-emit-options --upgrade --output-file requirements.lock pyproject.toml
	sed -i "s/^torch==\([0-9.]*\)+cpu/torch==\1/" requirements.lock

# What the lock pins, as CycloneDX, for those who have to account for it.
sbom: .venv/all.done
	mkdir -p build
	$(BIN)/cyclonedx-py requirements --output-reproducible --output-format JSON --output-file build/sbom.cdx.json \
		--pyproject pyproject.toml requirements.lock

audit: .venv/all.done
	$(BIN)/python .ci/audit.py

clean:
	rm -rf .venv runs build dist
