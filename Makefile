# Two commands matter: `make demo` and `make test`. Everything they need is prepared by `scripts/bootstrap`
# and kept in a cache outside the repository (SECURE_REDIS_CACHE, default ~/.cache/secure-redis-operator).
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PYTHONPATH := operator:.
PY = $(shell scripts/bootstrap)

.PHONY: help
help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

.PHONY: setup
setup: ## Prepare the Python environment (done by every other target too)
	@scripts/bootstrap >/dev/null

.PHONY: lint
lint: ## Format check and lint
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

.PHONY: imports
imports: ## Import contracts: who may import whom
	$(dir $(PY))lint-imports --no-logo

.PHONY: format
format: ## Format and fix what can be fixed
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

.PHONY: types
types: ## Strict type check
	$(PY) -m mypy

# Offline: both read the repository only. What bandit ignores, and why: pyproject.toml.
.PHONY: security
security: ## Search the workflows (zizmor) and the operator's code (bandit) for known weaknesses
	$(dir $(PY))zizmor --offline --quiet --no-progress --persona=pedantic .github
	$(PY) -m bandit --quiet --recursive --configfile pyproject.toml operator

# PAGES="docs/keys.md docs/faq.md": only these.
PAGES ?=
.PHONY: prose
prose: ## Check the words, sentences and headings of pages, messages and comments (Vale, built once in about a minute)
	@$(PY) -m scripts.prose $(PAGES)

.PHONY: check
check: lint imports types security prose ## All static checks

.PHONY: sbom
sbom: ## Write the SBOM of what the operator runs with to dist/sbom.cdx.json (CycloneDX) and dist/sbom.spdx.json (SPDX)
	@$(PY) -m scripts.release.sbom

# docs/releasing.md describes the variables. They are taken from the command line only, not from the environment.
VERSION =
SOURCE =
BUILDER =
IMAGE =
DIGEST =
ARCHIVE = 1
RELEASE = $(PY) -m scripts.release --source "$(SOURCE)" --builder "$(BUILDER)" --image "$(IMAGE)" --digest "$(DIGEST)" \
	  $(if $(filter 0,$(ARCHIVE)),--no-archive)
.PHONY: release
release: ## Write VERSION=1.2.3 into the work tree, and build the release into dist/ (commits, tags and pushes nothing)
	@$(RELEASE) "$(VERSION)"

.PHONY: release-check
release-check: ## Build the committed state twice, and compare byte for byte
	@$(RELEASE) --check

# Standard output has the story, and standard error the progress of long steps. KEEP=1 keeps the world running.
KEEP ?=
.PHONY: demo
demo: ## Show the whole story in a local world with a simulated Azure (KEEP=1: keep it running)
	@$(PY) -m sandbox.demo $(if $(filter-out 0,$(KEEP)),--keep)

# Three workers, also on two cores, since many tests wait; each has a control plane of its own (tests/conftest.py). A
# file's tests stay together so that what they share is made once. PYTEST=… adds arguments, for example PYTEST="-k corpus -x".
PYTEST ?=
RUN_TESTS = $(PY) -m pytest -n 3 --dist loadfile

.PHONY: prepare
prepare: ## Build or fetch what the sandbox and the tests run (once; `./sandbox.sh` and `make demo` require less)
	@$(PY) -m sandbox.prepare

.PHONY: test
test: ## The whole suite
	@$(PY) -m sandbox.prepare --tests
	$(RUN_TESTS) -m "not slow and not floor and not azure" $(PYTEST)

.PHONY: test-all
test-all: ## The whole suite, with what takes long, with the oldest supported Kubernetes (built once), and where Azure is not verified the other way too
	@$(PY) -m sandbox.prepare --tests --floor
	@$(PY) -m tests.clients.prepare
	$(RUN_TESTS) -m "not azure" $(PYTEST)
	SECURE_REDIS_OTHER_WAY=1 $(RUN_TESTS) -m "not slow and not floor and not azure" tests/integration/operator $(PYTEST)

.PHONY: clients
clients: ## Connect with the client libraries of docs/clients.md, and print their versions and results (5 minutes)
	@$(PY) -m tests.clients.prepare
	$(PY) -m pytest tests/clients --tb=short -q $(PYTEST)

# SOAK_SERVICE=managed: with an Azure Managed Redis. SOAK_ROTATIONS=2: a short run. SOAK_SEED=…: the operator is killed at
# the same moments again.
.PHONY: rotation-soak
rotation-soak: ## Rotate keys many times, killing the operator, under clients that must never be refused (20 minutes)
	@$(PY) -m sandbox.soak

# Figures go to stdout, one JSON line each, everything else to stderr. BENCH_SCALE=100 BENCH_QUICK=1: a short run.
.PHONY: bench
bench: ## Measure speed and size, and compare with the targets (about 45 minutes)
	@$(PY) -m sandbox.prepare
	@$(PY) -m benchmarks

.PHONY: bench-counts
bench-counts: ## Compare the requests, bytes and allocations of a resource with the kept counts (3 minutes; KEEP=1: keep these)
	@$(PY) -m sandbox.prepare
	@BENCH_ONLY=counts BENCH_STRICT=1 BENCH_KEEP_COUNTS=$(KEEP) $(PY) -m benchmarks

.PHONY: azure-conformance
azure-conformance: ## The contract suite against a real scratch subscription (tests/contract/conftest.py says what it needs)
	$(PY) -m pytest tests/contract -m azure $(PYTEST)

.PHONY: clean-cache
clean-cache: ## Remove everything that was built or fetched; the next run makes it again
	@cache="$${SECURE_REDIS_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/secure-redis-operator}"; \
	[ -d "$$cache" ] || { echo "nothing to remove: no $$cache"; exit 0; }; \
	[ -e "$$cache/venv.lock" ] || { echo "not removed: $$cache does not look like our cache (no venv.lock in it)" >&2; exit 1; }; \
	echo "removing $$cache"; chmod -R u+w "$$cache"; rm -rf -- "$$cache"

.PHONY: chart-docs
chart-docs: ## Generate the chart's README, part of its schema, examples/install/install.yaml and sandbox/chart/rendered.yaml
	$(PY) scripts/chart_docs.py

# They are no part of a release. A site without them is complete.
.PHONY: docs-pictures
docs-pictures: ## Run the demo, and record pictures of it and of kubectl for the next `make docs` (about 3 minutes)
	@$(PY) -m sandbox.prepare
	@$(PY) -m scripts.docs_recordings

.PHONY: docs
docs: ## Generate the reference pages of docs/ from the code and the CRD, and build the documentation site into site/
	$(PY) scripts/docs.py
	$(PY) scripts/argocd.py
	$(PY) -m scripts.docs_site
