# Every command sets up what it needs: .venv is made once, and again when the pins change.
#
#   make lab PYTHON=python3.12              use another Python; it must be 3.11 or newer
#   make lab LABFLAGS="--no-browser --port 9000"   pass options to JupyterLab
#   make mutants MODULES="layers losses"    only these modules
#   make classroom STUDENTS="1 5 10 20"     other class sizes; PROOF=--course also runs every notebook
#   make lite PYODIDE_DIST=FOLDER           a site that includes Pyodide, from a folder with its files

PYTHON ?= python3
LABFLAGS ?=
MODULES ?=
STUDENTS ?= 1 5
PROOF ?=

BIN = .venv/bin
SHARED_OUT = -n logical --dist
LAB = notebooks/02_step_through.ipynb

# If another environment is active in this shell, IPython would put its packages ahead of ours.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

.PHONY: help lab test mutants compat bench notebooks format wheel release-check classroom lite pins clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

lab: .venv/.project ## open the step-through lab in JupyterLab
	@echo "Starting JupyterLab with $(LAB). Press Ctrl-C twice to stop it."
	@if [ "$$(id -u)" = 0 ]; then set -- --allow-root; fi; exec $(BIN)/jupyter-lab "$$@" --LabApp.default_url=/lab/tree/$(LAB) $(LABFLAGS)

# Print each command before running it, so that it can be copied and run on its own.
step = @printf '\n%s\n' '== $(1)' && $(1)

test: .venv/.project ## check everything: style, types, layering, tests, notebooks, browser
	$(call step,$(BIN)/ruff format --check)
	$(call step,$(BIN)/ruff check)
	$(call step,$(BIN)/mypy)
	$(call step,$(BIN)/lint-imports --no-logo)
	$(call step,$(BIN)/pytest tests $(SHARED_OUT) worksteal --ignore tests/browser --ignore tests/benchmarks)
	$(call step,$(BIN)/pytest notebooks $(SHARED_OUT) loadfile --nbval --nbval-current-env --nbval-cell-timeout=60)
	$(call step,$(BIN)/pytest tests/browser $(SHARED_OUT) worksteal -m "not release")
	@printf '\n%s\n' 'make test: style, types, layering, tests, notebooks and browser are all fine.'

mutants: .venv/.mutants ## change the code in every small way and check that some test fails each time; takes half an hour
	$(call step,$(BIN)/python tests/mutation $(MODULES))

compat: .venv/.project ## check the numbers on every Python, with the oldest and newest packages, and on other processors
	$(call step,$(BIN)/python tests/release/check_versions.py)

bench: .venv/.bench ## compare speed with other ways to do the same
	$(call step,$(BIN)/python tests/benchmarks)

notebooks: .venv/.project ## run every notebook and save it with its outputs
	@$(BIN)/python notebooks/run_and_save.py notebooks/*.ipynb notebooks/solutions/*.ipynb

format: .venv/.project ## format code and sort imports
	$(call step,$(BIN)/ruff check --fix-only)
	$(call step,$(BIN)/ruff format)

wheel: ## build the package into dist/ and try it in an empty environment
	@$(need_python)
	@"$(PYTHON)" tests/release/check_wheel.py

release-check: .venv/.project wheel lite classroom ## try every other way to open the course; too slow for make test
	$(call step,PYODIDE_DIST="$(or $(PYODIDE_DIST),build/pyodide)" $(BIN)/pytest -s tests/browser -k "release or second_visit")
	$(call step,$(BIN)/python tests/release/check_front_ends.py)
	$(call step,$(BIN)/python tests/release/check_binder.py)

classroom: ## run a real JupyterHub with students: waiting times, memory, isolation, recovery from faults
	@$(need_python)
	@command -v npm >/dev/null || { echo "make classroom needs npm, to install JupyterHub's proxy. npm comes with Node.js." >&2; exit 1; }
	@room=$$(mktemp -d) && trap 'rm -rf "$$room"' EXIT && chmod 755 "$$room" && \
	echo "Making an environment for the hub, its proxy and the students. This takes a minute or two." && \
	"$(PYTHON)" -m venv "$$room/env" && install() { "$$room/env/bin/python" -m pip install --quiet --disable-pip-version-check "$$@"; } && \
	install --requirement classroom/requirements.txt && install --no-deps . && \
	npm install --silent --no-fund --no-audit --no-save --prefix "$$room" configurable-http-proxy@5.3.0 && \
	PATH="$$room/node_modules/.bin:$$PATH" "$$room/env/bin/python" classroom/proof --students $(STUDENTS) $(PROOF)

lite: build/lite-env/.pins ## build the course as a web site that runs Python in the browser, in build/lite
	@build/lite-env/bin/python lite/build.py $(if $(PYODIDE_DIST),--pyodide "$(PYODIDE_DIST)")

pins: ## update the requirements.txt of binder, lite and classroom to the newest versions that fit together
	@$(need_python)
	@echo "Looking up the newest version of every package. This takes about ten seconds."
	@uv=$$(mktemp -d) && trap 'rm -rf "$$uv"' EXIT && "$(PYTHON)" -m venv "$$uv" && \
	"$$uv/bin/python" -m pip install --quiet --disable-pip-version-check uv && \
	pin() { "$$uv/bin/uv" pip compile "$$@" --universal --python-version 3.11 --fork-strategy fewest \
		--python "$$uv/bin/python" --upgrade --generate-hashes --no-annotate --quiet \
		--custom-compile-command "make pins"; } && \
	pin pyproject.toml --extra lab --extra binder --extra test --output-file binder/requirements.txt && \
	pin --group lite --output-file lite/requirements.txt && \
	pin pyproject.toml --extra lab --group classroom --constraint binder/requirements.txt \
		--output-file classroom/requirements.txt
	@echo "Wrote binder/requirements.txt, which make test installs, and the ones in lite and classroom, for make lite and make classroom."

clean: ## remove .venv and everything else that can be rebuilt
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment, in layers: the pinned packages, this package on top of them, and what only mutants and benchmarks need.

define need_python
"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "backprop_lab needs Python 3.11 or newer, but '$(PYTHON) --version' says: $$("$(PYTHON)" --version 2>&1)" >&2; \
	echo "Choose a newer one, for example: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	exit 1; }
endef

.venv/.pins: binder/requirements.txt
	@$(need_python)
	@echo "Making .venv with the packages in binder/requirements.txt. This takes a minute or two, and happens only when they change."
	@"$(PYTHON)" -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement binder/requirements.txt
	@$(BIN)/jupyter-labextension disable --log-level=ERROR "@jupyterlab/apputils-extension:announcements"
	@touch $@

.venv/.project: .venv/.pins pyproject.toml backprop_lab/__init__.py
	@echo "Installing backprop_lab itself into .venv in editable mode. This takes a few seconds."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/.mutants: .venv/.project
	@echo "Adding mutmut to .venv, which makes the changes to the code."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[mutants]"
	@touch $@

.venv/.bench: .venv/.project
	@echo "Adding PyTorch and ipympl to .venv, to compare against. PyTorch is large: on a slow connection this takes minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	@touch $@

build/lite-env/.pins: lite/requirements.txt
	@$(need_python)
	@echo "Making build/lite-env with the tools that build the site. This takes half a minute, and happens only when lite/requirements.txt changes."
	@"$(PYTHON)" -m venv --clear build/lite-env
	@build/lite-env/bin/python -m pip install --quiet --disable-pip-version-check --requirement lite/requirements.txt
	@touch $@
