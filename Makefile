# Two commands: `make results` and `make test`. Both set up what they need and say what they do.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
CORES ?= $(shell $(PYTHON) -c "import os; print(os.cpu_count())")
VENV ?= .venv
export IMAGEBIND_ENV ?= $(abspath .venv-imagebind)
export PATH := $(abspath $(VENV))/bin:$(PATH)
SNAKEMAKE := snakemake --cores $(CORES) --workflow-profile workflow/profiles/default

.PHONY: help setup imagebind-env slurm browser results test test-long test-slurm test-browser page-libraries results-slurm check format docs readme emoji clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready ## create the virtual environment with the pinned requirements

$(VENV)/.ready: requirements.txt requirements-dev.txt
	@echo "== Setting up $(VENV) from requirements.txt and requirements-dev.txt (about 2 GB, once)"
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed; set PYTHON=')"
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

imagebind-env: $(IMAGEBIND_ENV)/.ready ## create the environment that ImageBind's tests run in (Debian 12)

DEBIAN_TORCH := python3-torch python3-torchvision python3-torchaudio python3-venv

$(IMAGEBIND_ENV)/.ready: tests/encoders/imagebind_requirements.txt
	@echo "== Setting up $(IMAGEBIND_ENV) with ImageBind's package and Debian's torch (about 0.3 GB to download, 1.1 GB on disk, once)"
	@/usr/bin/python3 -c "import sys; sys.exit(sys.version_info[:2] != (3, 11) and 'Debian 12 is needed: /usr/bin/python3 is not 3.11')"
	@if ! /usr/bin/python3 -c "import torch, torchvision, torchaudio, ensurepip" 2> /dev/null; then \
	    echo "== Installing $(DEBIAN_TORCH) (as root)"; \
	    apt-get update -qq; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(DEBIAN_TORCH) > /dev/null; \
	fi
	/usr/bin/python3 -m venv --clear --system-site-packages $(IMAGEBIND_ENV)
	$(IMAGEBIND_ENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

slurm: ## install SLURM, for its tests (Debian, as root)
	@if ! command -v slurmctld > /dev/null || ! command -v munged > /dev/null; then \
	    echo "== Installing slurm-wlm and munge (as root)"; \
	    apt-get update -qq; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y slurm-wlm munge > /dev/null; \
	fi

browser: ## install Chromium, for the tests of pages (Debian, as root); elsewhere an installed Chrome does
	@if ! command -v chromium > /dev/null && command -v apt-get > /dev/null; then \
	    echo "== Installing chromium (as root)"; \
	    apt-get update -qq; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core > /dev/null; \
	fi

results: setup ## run the main job on the embedded data set: results/summary.csv and the rest
	@echo "== Running the workflow on $(CORES) cores; every output goes to results/"
	$(SNAKEMAKE)
	@echo "== The leaderboard (results/leaderboard.csv); every run is in results/summary.csv"
	@python workflow/scripts/show_leaderboard.py results/leaderboard.csv

test: setup ## run the tests (parallel over the cores)
	@echo "== Running the tests on $(CORES) cores; those that take minutes are apart: make test-long"
	pytest -n $(CORES) --dist loadgroup -m "not long and not slurm and not browser"

test-long: setup ## run the tests that take minutes: tuning, sweeps, tables, resuming, the page on extending
	@echo "== Running the long tests on $(CORES) cores"
	pytest -n $(CORES) --dist loadgroup -m "long and not slurm and not browser"

test-slurm: setup slurm ## run the tests that go through SLURM, on a cluster of one node that they start
	@echo "== Running the tests through SLURM (about 25 minutes)"
	pytest -m slurm tests/cluster

test-browser: setup browser ## run the tests of pages in a real browser, Chromium or Chrome without a window
	@echo "== Running the tests in a browser"
	pytest -m browser tests

results-slurm: setup slurm ## run the main job through a SLURM of one node on this machine
	@echo "== Running the workflow through SLURM; every output goes to results/"
	tests/cluster/main_job.sh

check: setup ## format, lint and types: what CI checks beside the tests
	@echo "== Checking format, lint and types"
	ruff format --check .
	ruff check .
	snakefmt --check Snakefile workflow/rules
	mypy
	snakemake --lint

format: setup ## format Python and Snakemake files
	ruff format .
	ruff check --fix .
	snakefmt Snakefile workflow/rules

docs: setup ## write the config schema and config/README.md from the typed settings
	python workflow/scripts/document_config.py

readme: setup ## put the leaderboard of the last run into README.md
	python workflow/scripts/show_leaderboard.py results/leaderboard.csv --into README.md

emoji: setup ## rebuild resources/emoji from its sources (downloads about 740 MB; needs npm)
	python workflow/scripts/build_emoji.py --downloads resources/downloads --out resources/emoji

PAGE_LIBRARIES := workflow/polymatch/reporting/page/assets/vendor

page-libraries: ## fetch the page's chart library again, in the versions of its VERSIONS file (needs npm)
	cd $$(mktemp -d) && while read -r package file name sum; do \
	    tar -xzf "$$(npm pack --silent $$package)" && \
	    cp package/dist/$$file $(abspath $(PAGE_LIBRARIES))/$$name.min.js && \
	    cp package/LICENSE $(abspath $(PAGE_LIBRARIES))/$$name.LICENSE.txt && rm -r package; \
	done < $(abspath $(PAGE_LIBRARIES))/VERSIONS && \
	cd $(abspath $(PAGE_LIBRARIES)) && awk '{ print $$4 "  " $$3 ".min.js" }' VERSIONS | sha256sum --check

clean: ## remove every output, but not the environment
	rm -rf results .snakemake
