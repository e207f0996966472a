# make demo   a site to try it on: installs what it needs, then serves it
# make test   everything: lint, types, all tests on three databases, in a browser, on failing servers
# make lint   the quick part of it
# make bench  what it costs, measured next to others; nothing else should run on the machine
#
# Nothing is needed but Python 3.11 or newer, make and the package registries.
#   PYTHON=…    the interpreter to use (default: the newest that is found)
#   VENV=…      where to install (default: .venv)
#   DJANGO=…    a requirement, such as 'django>=5.2,<5.3'; give it a VENV of its own
#   LOWEST=1    the least versions that pyproject.toml allows; give it a VENV of its own
#   ARGS=…      for python -m example_project, python -m tests or python -m benchmarks

VENV ?= .venv
DJANGO ?= django
LOWEST ?=
ARGS ?=
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test lint bench servers clean

demo: $(VENV)/.installed-demo
	$(VENV)/bin/python -m example_project $(ARGS)

test: servers $(VENV)/.installed-dev
	$(VENV)/bin/python -m tests $(ARGS)

# Its packages, ours and the others at pinned versions, are put into .venv-bench.
bench: servers $(VENV)/bin/python
	$(VENV)/bin/python -m benchmarks $(ARGS)

lint: $(VENV)/.installed-dev
	$(VENV)/bin/python -m tests --only lint

# What cannot be installed is said, with the reason, at the end of the run.
servers:
	@sh tests/services/install.sh

$(VENV)/.installed-%: pyproject.toml $(VENV)/bin/python
	$(if $(LOWEST),$(VENV)/bin/python tests/lowest.py >$(VENV)/lowest.txt)
	$(PIP) install -e ".[$*]" '$(DJANGO)' $(if $(LOWEST),-c $(VENV)/lowest.txt)
	@touch $@

# A version manager may leave names on the PATH that only print an error, and
# Debian's own Python may lack ensurepip: each candidate has to prove itself.
$(VENV)/bin/python:
	@set -e; \
	for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python); do \
		if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
			>/dev/null 2>&1; then \
			echo "Creating $(VENV) with $$("$$python" --version)"; \
			exec "$$python" -m venv --clear '$(VENV)'; \
		fi; \
	done; \
	echo 'No Python 3.11 or newer with venv was found (Debian: python3-venv); set PYTHON=…' >&2; \
	exit 1

clean:
	rm -rf .venv .venv-* .build build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
