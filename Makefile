# Every command sets up what it needs: .venv is made once, and again when a learner's packages change.
#
#   make lab PYTHON=python3.12              use another Python; it must be 3.11 or newer
#   make lab LABFLAGS="--no-browser --port 9000"   pass options to JupyterLab
#   make mutants MODULES="nn.layers ui.steps"  only these modules
#   make classroom STUDENTS="1 5 10 20"     other class sizes; PROOF=--record keeps the figures
#   make site PYODIDE_DIST=FOLDER           a site that includes Pyodide, from a folder with its files
#   make site SITE=FOLDER                   the site in another folder than build/site, which is emptied first
#   make site SOLUTIONS=yes                 a site for teachers, with the solutions and the teaching notes
#   make pins UPGRADE=                      pin what is new in pyproject.toml, and leave every other version as it is

PYTHON ?= python3
LABFLAGS ?=
MODULES ?=
STUDENTS ?= 1 5
PROOF ?=
SITE ?= build/site
SOLUTIONS ?=
UPGRADE ?= --upgrade

BIN = .venv/bin
SHARED_OUT = -n logical --dist
UNIT_TESTS = $(BIN)/pytest tests -p no:nbval -p no:playwright $(SHARED_OUT) worksteal --ignore tests/browser --ignore tests/benchmarks

# If another environment is active in this shell, IPython would put its packages ahead of ours.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

.PHONY: help lab test notebooks picture format clean mutants faults compat bench wheel release-check figures classroom site pins

help: ## show this list
	@awk -F ':.*## ' '/^##@/ { print substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

##@ Every day:

lab: .venv/.project ## open the step-through lab in JupyterLab, in a copy of the course of your own
	@exec $(BIN)/backprop-lab backprop_lab_notebooks -- --LabApp.default_url=/lab/tree/02_step_through.ipynb $(LABFLAGS)

# Print each command before running it, so that it can be copied and run on its own.
step = @printf '\n%s\n' '== $(1)' && $(1)

test: .venv/.tests ## check everything: style, types, layering, tests, notebooks, browser
	$(call step,$(BIN)/ruff format --check)
	$(call step,$(BIN)/ruff check)
	$(call step,$(BIN)/mypy)
	$(call step,$(BIN)/lint-imports --no-logo)
	$(call step,$(UNIT_TESTS))
	$(call step,$(BIN)/pytest notebooks $(SHARED_OUT) loadfile --nbval --nbval-current-env --nbval-cell-timeout=60)
	$(call step,$(BIN)/pytest tests/browser $(SHARED_OUT) worksteal -m "not release")
	@printf '\n%s\n' 'make test: style, types, layering, tests, notebooks and browser are all fine.'

notebooks: .venv/.project ## run every notebook and save it with its outputs
	@$(BIN)/python tools/run_and_save.py notebooks/*.ipynb notebooks/solutions/*.ipynb

picture: .venv/.project ## draw the picture at the top of the README, a walk through all steps
	@$(BIN)/python -c 'from backprop_lab.ui import StepThrough; StepThrough().save("docs/pages/_static/walk.gif")'

format: .venv/.tests ## format code and sort imports
	$(call step,$(BIN)/ruff check --fix-only)
	$(call step,$(BIN)/ruff format)

clean: ## remove .venv and everything else that can be rebuilt
	rm -rf .venv build dist mutants .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Before a release, and when you change what they cover:

mutants: .venv/.mutants ## change the code in every small way and check that some test fails each time
	$(call step,$(BIN)/mutmut run $(MODULES:%="backprop_lab.%.*"))
	$(call step,$(BIN)/mutmut export-cicd-stats)

faults: .venv/.tests ## put each fault of tests/faults into a copy and check that the test it names fails
	$(call step,$(BIN)/python tests/faults)

compat: .venv/.project ## check the numbers on every Python, with the oldest and newest packages, and on other processors
	$(call step,$(BIN)/python tests/release/check_versions.py)

bench: .venv/.bench ## compare speed with other ways to do the same, and run the PyTorch cells of notebook 09
	$(call step,$(BIN)/python tests/benchmarks)
	$(call step,$(BIN)/pytest --nbval --nbval-current-env notebooks/09_from_here_to_autograd.ipynb)

wheel: ## build the package into dist/ and try it in an empty environment
	@$(need_python)
	@"$(PYTHON)" tests/release/check_wheel.py

release-check: .venv/.tests wheel site classroom ## test with whole counts, and try every other way to open the course
	$(call step,FULL_COUNTS=1 $(UNIT_TESTS))
	$(call step,PYODIDE_DIST="$(or $(PYODIDE_DIST),build/pyodide)" $(BIN)/pytest -s tests/browser -m release)
	$(call step,$(BIN)/python tests/release/check_front_ends.py)
	$(call step,$(BIN)/python tests/release/check_binder.py)

figures: ## put what these commands have measured into tests/figures.json and tests/README.md
	@$(need_python)
	@"$(PYTHON)" tools/figures.py

classroom: ## run a real JupyterHub with students: waiting times, memory, isolation, recovery from faults
	@$(need_python)
	@command -v npm >/dev/null || { echo "make classroom needs npm, to install JupyterHub's proxy. npm comes with Node.js." >&2; exit 1; }
	@room=$$(mktemp -d) && trap 'rm -rf "$$room"' EXIT && chmod 755 "$$room" && \
	echo "Making an environment for the hub, its proxy and the students. This takes a minute or two." && \
	"$(PYTHON)" -m venv "$$room/env" && install() { "$$room/env/bin/python" -m pip install --quiet --disable-pip-version-check "$$@"; } && \
	install --requirement classroom/requirements.txt && install --no-deps . && \
	npm install --silent --no-fund --no-audit --no-save --prefix "$$room" configurable-http-proxy@5.3.0 && \
	PATH="$$room/node_modules/.bin:$$PATH" "$$room/env/bin/python" tests/classroom --students $(STUDENTS) $(PROOF)

site: build/site-env/.pins ## build the web site: the course to read, and to run in the browser
	@build/site-env/bin/python docs/build.py "$(SITE)" $(if $(PYODIDE_DIST),--pyodide "$(PYODIDE_DIST)") $(if $(SOLUTIONS),--with-solutions)

pins: ## update every requirements.txt to the newest versions that fit together
	@$(need_python)
	@echo "Looking up the version of every package. This takes about ten seconds."
	@uv=$$(mktemp -d) && trap 'rm -rf "$$uv"' EXIT && "$(PYTHON)" -m venv "$$uv" && \
	$(call pip_install,"$$uv") $(UV) && "$$uv/bin/python" tools/pins.py $(UPGRADE)
	@echo "Wrote the requirements.txt of binder, tests, classroom and docs."

# The environment, in layers: what a learner has, this package on top of it, what the tests need, and what only mutants and
# benchmarks need. make lab stops after the second, and make test adds the third to what is there.

define need_python
"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "backprop_lab needs Python 3.11 or newer, but '$(PYTHON) --version' says: $$("$(PYTHON)" --version 2>&1)" >&2; \
	echo "Choose a newer one, for example: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	exit 1; }
endef

# uv takes a quarter of the time. Where it cannot get something, as where only pip knows a school's mirror, pip does it all.
# Neither compiles what it installs, of which most is never used: Python does that when it first needs a file.
UV = uv==0.13.9
pip_install = $(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile
make_environment = "$(PYTHON)" -m venv --clear $(1) && { $(pip_install) $(UV) 2>/dev/null || true; }
install = $(1)/bin/uv pip install --quiet --python $(1)/bin/python $(2) 2>/dev/null || $(pip_install) $(2)

.venv/.learner: binder/requirements.txt
	@$(need_python)
	@echo "Making .venv with the packages in binder/requirements.txt. This takes ten seconds to two minutes, and happens only when they change."
	@$(call make_environment,.venv)
	@$(call install,.venv,--requirement binder/requirements.txt)
	@touch $@

.venv/.project: .venv/.learner pyproject.toml backprop_lab/__init__.py
	@echo "Installing backprop_lab itself into .venv in editable mode. This takes a few seconds."
	@$(call install,.venv,--no-deps --editable .)
	@touch $@

.venv/.tests: .venv/.learner tests/requirements.txt | .venv/.project
	@echo "Adding the packages in tests/requirements.txt to .venv. This takes three seconds to half a minute, and happens only when they change."
	@$(call install,.venv,--requirement tests/requirements.txt)
	@touch $@

.venv/.mutants: .venv/.tests
	@echo "Adding mutmut to .venv, which makes the changes to the code."
	@$(call install,.venv,--editable ".[mutants]")
	@touch $@

.venv/.bench: .venv/.tests
	@echo "Adding PyTorch, JAX and ipympl to .venv, to compare against. They are large: on a slow connection this takes minutes."
	@$(call install,.venv,--editable ".[bench]")
	@touch $@

build/site-env/.pins: docs/requirements.txt
	@$(need_python)
	@echo "Making build/site-env with the tools that build the site. This takes five seconds to half a minute, and happens only when docs/requirements.txt changes."
	@$(call make_environment,build/site-env)
	@$(call install,build/site-env,--requirement docs/requirements.txt)
	@touch $@
