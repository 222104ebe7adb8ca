# Everything that people and CI run. `make` alone lists the targets.
# PYTHON=... names the interpreter for .venv; ARGS=... is handed to the program that a target runs.

BIN := .venv/bin
ARGS ?=
EXACT := gallery/domain/*,gallery/services/*
TESTS := -n 3 --dist loadfile --no-loadscope-reorder

export PYTHON

.DEFAULT_GOAL := help
.PHONY: help install run worker test check lint format types imports schema migrations coverage migrate conformance \
	bench containers lock audit sbom wheel clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## Create .venv with everything that running and testing need
	@tools/install

run: install ## Start the gallery with its own PostgreSQL, S3 storage and Valkey; ARGS="--port 9000"
	@exec $(BIN)/gallery serve $(ARGS)

worker: install ## Start a worker that makes renditions
	@exec $(BIN)/gallery worker $(ARGS)

migrate: install ## Bring the database up to date
	@exec $(BIN)/gallery migrate $(ARGS)

test: install ## Run the whole test suite in three processes; ARGS="-k upload"
	$(BIN)/pytest $(TESTS) $(ARGS)

check: lint types imports schema migrations audit coverage ## Everything that CI demands: all the checks, and the tests with coverage

lint: install ## Look for mistakes and for unformatted files
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: install ## Format all files and mend what can be mended safely
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: install ## Check the types
	$(BIN)/mypy

imports: install ## Check that the layers hold
	$(BIN)/lint-imports --no-logo

schema: install ## Check that schema.graphql is what the code says
	$(BIN)/gallery schema --check schema.graphql

migrations: install ## Check that migrations are safe to run beside a working server
	tools/lint-migrations

coverage: install ## Run the whole test suite and demand its coverage
	$(BIN)/coverage erase
	# Crashes and outages meet real time-outs on a busy machine: what fails is named, and gets one more try alone.
	# Anything but 1 says that not all tests ran.
	$(BIN)/pytest --cov --cov-report= --cov-fail-under=0 $(TESTS) $(ARGS) || { test $$? -eq 1 && \
		$(BIN)/pytest --cov --cov-append --cov-report= --cov-fail-under=0 --last-failed --last-failed-no-failures=none $(ARGS); }
	$(BIN)/coverage report
	$(BIN)/coverage report --include='$(EXACT)' --fail-under=100

conformance: install ## Run graphql-core's own tests of execution, compiled; ARGS="-k mutations"
	$(BIN)/python tools/graphql_core_tests.py $(ARGS)

bench: install ## Measure; ARGS names a benchmark
	$(BIN)/python -m benchmarks $(ARGS)

containers: install ## Build the image, start all of docker-compose.yml, and try it
	$(BIN)/python tools/try_containers.py $(ARGS)

lock: install ## Write the lock files anew; ARGS=--upgrade takes the newest versions
	tools/lock $(ARGS)

audit: install ## Look for known vulnerabilities of what is locked; ARGS=--strict fails where nobody can tell
	@$(BIN)/python tools/audit.py $(ARGS)

sbom: install ## Write what .venv is made of, with licences, to dist/sbom.cdx.json (CycloneDX); the image has its own
	@mkdir -p dist
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
		--output-format JSON --output-file dist/sbom.cdx.json $(BIN)/python

wheel: install ## Build the package into dist/
	$(BIN)/python -I -m pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir dist .

clean: ## Remove what was built, .venv too; the data of the gallery stays
	rm -rf .venv .venv-clairvoyance build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find gallery migrations tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
