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
lint: ## Format check, lint and import contracts
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(dir $(PY))lint-imports --no-logo

.PHONY: format
format: ## Format and fix what can be fixed
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

.PHONY: types
types: ## Strict type check
	$(PY) -m mypy

.PHONY: check
check: lint types ## All static checks
