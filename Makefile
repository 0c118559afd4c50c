# make demo: install, start everything, open http://127.0.0.1:8000
# make test: install what the tests need, run all checks
# make lock: write requirements*.txt anew from requirements*.in (UPGRADE=--upgrade: with the newest of what these bring)
PYTHON ?= $(firstword $(shell command -v python3 python))
VENV = .venv/bin/python
# Scripts and style sheets of our own, with the settings of their tools.
SCRIPTS = static/js tests/js tests/flows/page_audit.js
ASSETS = static tests/js tests/flows/page_audit.js package.json .oxfmtrc.json .oxlintrc.json

# Compiled modules are kept: each of the many processes of a run would compile Koma and its tests again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo install install-dev lock test lint types collect tests coverage mutants test-optional format help

demo: install
	@exec $(VENV) -m project.serve

install:
	@test -n "$(PYTHON)" || { echo "Koma needs Python 3.11 or newer: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) project/install.py

install-dev:
	@test -n "$(PYTHON)" || { echo "Koma needs Python 3.11 or newer: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) project/install.py --dev

# The same pins and hashes for every machine and Python that Koma runs on. What is pinned already stays.
LOCK = $(VENV) -m uv --no-config pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)

lock: install-dev
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt
	$(LOCK) requirements-gpu.in -o requirements-gpu.txt
	$(LOCK) requirements-mutants.in -o requirements-mutants.txt

# Two things at a time. Collecting first compiles the tests once, and not in each worker.
test: install-dev
	@$(MAKE) --no-print-directory -j 2 lint collect
	@$(MAKE) --no-print-directory -j 2 types tests

lint: install-dev
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	.venv/bin/oxfmt --check $(ASSETS)
	.venv/bin/oxlint $(SCRIPTS)
	.venv/bin/djangofmt --check templates
	.venv/bin/djangofmt check templates
	$(VENV) -m lint.templates
	.venv/bin/djangofmt --profile jinja --check templates/jinja2
	.venv/bin/djangofmt check --profile jinja templates/jinja2
	.venv/bin/lint-imports
	$(VENV) -m lint.names
	$(VENV) -m lint.css
	@$(VENV) -m piplicenses > /dev/null  # which licences pass: pyproject.toml
	$(VENV) manage.py makemigrations --check --dry-run
	KOMA_HTTPS_PROXY=on $(VENV) manage.py check --deploy --fail-level WARNING

types: install-dev
	$(VENV) -m mypy

collect: install-dev
	@$(VENV) -m pytest -qq --collect-only >/dev/null || $(VENV) -m pytest -q --collect-only

# Everything on SQLite; then what depends on the database once more on a real PostgreSQL.
tests: install-dev
	$(VENV) -m pytest -q -n auto
	$(VENV) -m tests.with_postgres $(VENV) -m pytest -q -n auto -m postgres

# The share of lines and branches that tests run, by package; fails below the floor in pyproject.toml.
coverage: install-dev
	$(VENV) -m coverage erase
	$(VENV) -m pytest -q -n auto --cov --cov-report=
	$(VENV) -m lint.coverage_table

# What no test notices when it is broken: make mutants MODULES="ingest/algorithms/naming.py", in an environment of its own.
mutants:
	@$(PYTHON) -m venv .venv-mutants
	.venv-mutants/bin/pip install -q --require-hashes -r requirements-dev.txt -r requirements-mutants.txt
	.venv-mutants/bin/python -m lint.mutants $(MODULES)

# What needs packages that nobody has to have (several gigabytes), in an environment of its own.
test-optional:
	@$(PYTHON) -m venv .venv-optional
	.venv-optional/bin/pip install -q --require-hashes -r requirements-dev.txt
	.venv-optional/bin/pip install -q -r requirements-blip2.txt
	for name in text waifu2x realcugan realesrgan; do \
		.venv-optional/bin/pip install -q --no-deps --require-hashes -r requirements-$$name.txt || exit 1; done
	KOMA_TEST_OPTIONAL=1 .venv-optional/bin/python -m pytest -q -m optional

format: install-dev
	$(VENV) -m ruff check --fix .
	$(VENV) -m ruff format .
	.venv/bin/oxlint --fix $(SCRIPTS)
	.venv/bin/oxfmt $(ASSETS)
	.venv/bin/djangofmt check --fix templates
	.venv/bin/djangofmt templates
	.venv/bin/djangofmt check --profile jinja --fix templates/jinja2
	.venv/bin/djangofmt --profile jinja templates/jinja2

help:
	@grep -E '^# ' Makefile | cut -c3-
