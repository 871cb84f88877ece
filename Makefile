# Everything runs in ./.venv, made from plain python3 on first use; later runs need no network.
PYTHON ?= python3
# Extra arguments for pytest (make test ARGS="-k trailing") or robson selftest (make rehearsal ARGS="--seed one")
ARGS ?=
# Which clients make witnesses runs, by name; --required: none is passed over for want of a network.
WITNESSES ?=
# How much of the checks make systemd runs: whole, or short.
BOOT ?= whole
# Arguments of python -m release: make packages PACKAGES="--suite bookworm --arch arm64"
PACKAGES ?=
# How many lives make soak simulates.
LIVES ?= 50000

VENV := .venv
RUN := $(VENV)/bin/python -m
STAMP := $(VENV)/.installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test soak rehearsal deploy browser bench bench-one-core bench-slow-disk bench-peers bench-growth bench-slow flame witnesses storm manuals check packages audit systemd lock clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## make .venv with Robson and its tools, from requirements.lock

demo: $(STAMP) ## a long and a short, from armed to closed, without keys or network
	@$(VENV)/bin/robson demo

test: $(STAMP) ## run the tests, in three processes; with ARGS what they name, in one
ifeq ($(strip $(ARGS)),)
	@$(RUN) tests.side_by_side
else
	@$(RUN) pytest -q --durations=5 --durations-min=1 $(ARGS)
endif

soak: $(STAMP) ## 50,000 simulated lives with faults, and a crash at every task step and write (about 20 minutes)
	@$(RUN) tests.simulation.soak $(LIVES)
	@ROBSON_TEST_CRASH_STRIDE=1 $(RUN) pytest -q tests/simulation/test_crashes.py

rehearsal: $(STAMP) ## 1,000 lives in live mode with every fault, 100 kills of the daemon, 20 of the emulator (15 minutes)
	@$(VENV)/bin/robson selftest --live --lives 1000 --kills 100 --venue-kills 20 $(ARGS)

witnesses: $(STAMP) ## five clients by others against the emulator (network the first time; kept in build/)
	@$(RUN) tests.witnesses $(WITNESSES)

deploy: $(STAMP) ## the container image built and run, manifests, a replica's restore (root; network the first time; kept in build/)
	@ROBSON_TEST_DEPLOY=1 $(RUN) pytest -q tests/deploy $(ARGS)

browser: $(STAMP) ## the dashboard in a real Chromium, with pictures in build/browser (chromium; axe from npm the first time)
	@ROBSON_TEST_BROWSER=1 $(RUN) pytest -q tests/browser $(ARGS)

bench: $(STAMP) ## every figure beside a bare script in the same run, to build/bench.json (15 minutes; ARGS="--compare OLD.json")
	@mkdir -p build
	@$(VENV)/bin/robson bench --state-dir build --json build/bench.json $(ARGS)

bench-one-core: $(STAMP) ## the same on the first processor alone, to build/bench-one-core.json (25 minutes)
	@mkdir -p build
	@taskset -c 0 $(VENV)/bin/robson bench --state-dir build --json build/bench-one-core.json $(ARGS)

bench-slow-disk: $(STAMP) ## the same with 20 ms more in each sync, to build/bench-slow-disk.json (25 minutes; a C compiler)
	@mkdir -p build
	@$(RUN) tests.bench.slow_disk --build build/slow_disk.so
	@LD_PRELOAD=$(CURDIR)/build/slow_disk.so SLOW_SYNC_MS=20 \
		$(VENV)/bin/robson bench --state-dir build --json build/bench-slow-disk.json $(ARGS)

bench-peers: $(STAMP) ## robson replay beside NautilusTrader, same trades, same rule, same exits (network the first time; kept in build/)
	@$(RUN) tests.bench.peers $(ARGS)

bench-growth: $(STAMP) ## a journal that grows for years, with the archive and without (10 minutes)
	@$(RUN) tests.bench.growth

bench-slow: $(STAMP) ## what each write does to the loop on a disk that takes 20 ms more to sync (a C compiler)
	@$(RUN) tests.bench.slow_disk 20

flame: $(STAMP) ## flame graphs of the tick path and of the idle loop, in build/flame (py-spy from the network, once)
	@test -x build/flame/venv/bin/py-spy || { $(VENV)/bin/python -m venv build/flame/venv && \
		build/flame/venv/bin/python -m pip install -q py-spy==0.4.1; }
	@$(RUN) tests.bench.flame build/flame/venv/bin/py-spy build/flame

storm: $(STAMP) ## 30 clients do their worst, one only pings, one does not read 100,000 events (5 minutes)
	@$(RUN) tests.bench.storm

manuals: $(STAMP) ## write packaging/man and packaging/completion anew
	@$(RUN) tests.manuals.write

check: $(STAMP) ## lint, formatting, types and layers
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(VENV)/bin/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command(["--no-logo"])'

packages: $(STAMP) ## wheel, sdist and Debian packages in dist/, each made twice and compared (wheels from the network, once)
	@PYTHONPATH=packaging $(RUN) release $(PACKAGES)

audit: $(STAMP) ## known vulnerabilities in what is locked, and whether the bills in dist/ are valid (needs the network)
	@PYTHONPATH=packaging $(RUN) release.audit $(ARGS)

systemd: $(STAMP) ## the package under a real systemd, on Debian 12 and 13 (needs root and mmdebstrap; BOOT=short for CI)
	@ROBSON_TEST_BOOT=$(BOOT) $(RUN) pytest -q -s -o faulthandler_timeout=1200 tests/boot $(ARGS)

lock: ## refresh the locks (needs the network; UPGRADE=1 takes newer versions)
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install -q uv
	build/lock/bin/uv pip compile $(if $(UPGRADE),--upgrade) --quiet --universal --python-version 3.11 --extra dev \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements.lock pyproject.toml
	build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --extra ed25519 --constraint requirements.lock \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --output-file packaging/runtime.lock \
		pyproject.toml
	build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --constraint requirements.lock \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --output-file packaging/build.lock packaging/build.in
	@! grep -n '://' requirements.lock packaging/runtime.lock packaging/build.lock

clean: ## remove .venv, caches and build output; state/ stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp holds the checkout's path: a tree that was moved or copied with its .venv is installed anew.
ifneq "$(shell cat $(STAMP) 2>/dev/null)" "$(CURDIR)"
.PHONY: $(STAMP)
endif

# A .venv that works and is recent enough is kept, so that a change of pyproject.toml alone needs no network.
$(STAMP): requirements.lock pyproject.toml
	@rm -f $@
	@$(VENV)/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
			{ echo "Robson needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }; \
		echo "making .venv with $$($(PYTHON) --version)"; \
		$(PYTHON) -m venv --clear $(VENV); \
	}
	@echo "installing from requirements.lock"
	@$(RUN) pip install -q --require-hashes -r requirements.lock
	@$(RUN) pip install -q --no-deps --no-build-isolation -e .
	@$(RUN) compileall -q robson robsonctl
	@pwd -P > $@
