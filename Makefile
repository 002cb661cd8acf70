# Two commands: `make test` and `make book`. Both make what they need first: a virtual environment with the exact pins.
# Needs Python >= 3.11 and make; no compiler, no system library. Another place for the environment: make book VENV=/some/path.
# JOBS is the number of pages that run at once; of tests there is one more, because many wait for hosts and children.
# Paths may hold spaces.

VENV ?= .venv
JOBS ?= 2
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
BIN := $(if $(filter /%,$(firstword $(VENV))),$(VENV),$(CURDIR)/$(VENV))/bin
PINS := $(shell cat requirements.txt requirements-no-deps.txt pyproject.toml | cksum | cut -d' ' -f1)
SPACE := $(subst ,, )
INSTALLED := $(subst $(SPACE),\$(SPACE),$(VENV))/.installed-$(PINS)
PAGES := $(sort $(wildcard book/*.ipynb))
S2F := "$(BIN)/python" -m s2f_lib
PYTEST := "$(BIN)/python" -m pytest

export PATH := $(BIN):$(PATH)
export PYDEVD_DISABLE_FILE_VALIDATION := 1
export JUPYTER_PLATFORM_DIRS := 1

.PHONY: help install book test browser lab sweep published address bench links wheel clean distclean

help:
	@echo "make book       build the book into _build/html (first time: installs, runs every page)"
	@echo "make test       lint, unit tests, doctests, every page by nbval"
	@echo "make browser    look at the built book: links, sizes, and in Chromium (if there is one) every page"
	@echo "make lab        JupyterLab on the pages"
	@echo "make sweep      an example of a grid: page 4 with three seeds, two at a time, and the table of the runs"
	@echo "make published  fetch the paper's published examples and measure them again (network)"
	@echo "make bench      the measured comparisons in benchmarks/ (long)"
	@echo "make address    URL=https://HOST/OWNER/NAME: where your copy is, in every place that needs it"
	@echo "make links      look for dead links (network)"
	@echo "make clean      remove what was built; make distclean also removes $(VENV)"

# The stamp carries a checksum of the pins: changed pins install again, unchanged ones never do.
install: $(INSTALLED)
$(INSTALLED):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing the pinned packages into $(VENV) with $(PYTHON) (about 5 minutes, 7 GB) ..."
	@test -x "$(BIN)/python" || "$(PYTHON)" -m venv "$(VENV)" || \
	    { echo "could not make $(VENV); on Debian and Ubuntu the module venv is in the package python3-venv"; exit 1; }
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-no-deps.txt
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@rm -f "$(VENV)"/.installed-*
	@touch "$@"

# First every page is executed into _build/.jupyter_cache, from which Jupyter Book then takes what it shows.
book: $(INSTALLED)
	"$(BIN)/python" -m tools.execute_pages --jobs $(JOBS)
	"$(BIN)/jupyter-book" build . -W -n --keep-going
	@echo "The book: file://$(CURDIR)/_build/html/index.html"

test: $(INSTALLED)
	"$(BIN)/ruff" check .
	$(PYTEST) -q -n $$(($(JOBS) + 1)) --dist loadfile tests --durations=10
	$(PYTEST) -q --doctest-modules s2f_lib data_scripts
	printf '%s\n' $(PAGES) | OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive xargs -n 1 -P $(JOBS) $(PYTEST) -q --nbval-lax --nbval-cell-timeout=7200

# Looks at the built book: links, descriptions, sizes; with Chromium also requests, complaints, contrast, sliders, sound.
browser: $(INSTALLED)
	$(PYTEST) tests/browser

lab: $(INSTALLED)
	"$(BIN)/jupyter" lab book

sweep: $(INSTALLED)
	OMP_NUM_THREADS=1 $(S2F) pages run 04_loss_ablation --grid seed=[0,1,2] --jobs $(JOBS) -o runs/seeds
	$(S2F) pages table runs/seeds

published: $(INSTALLED)
	$(S2F) published fetch data/published
	$(S2F) pages run 06_published_results -p examples=data/published -o runs/published

address: $(INSTALLED)
	"$(BIN)/python" -m tools.set_address "$(URL)"

bench: $(INSTALLED)
	@set -e; for name in $(notdir $(basename $(wildcard benchmarks/[a-z]*.py))); do \
	    echo "== $$name"; "$(BIN)/python" -m benchmarks.$$name; done

links: $(INSTALLED)
	"$(BIN)/jupyter-book" build . --builder linkcheck

wheel: $(INSTALLED)
	"$(BIN)/python" -m pip wheel --no-deps --no-build-isolation --wheel-dir dist .

clean:
	rm -rf _build build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf "$(VENV)"
