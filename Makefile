# Everything here needs git, python3 (with venv) and make; the first call sets up .venv, later ones reuse it.
PYTHON ?= python3
PYTEST_ARGS ?=
DEMO_ARGS ?=
BENCH_ARGS ?=
RECALL_ARGS ?=

BIN := .venv/bin
READY := .venv/.ready
LOCK := .cache/lock
LOCK_OPTIONS := --quiet --upgrade --universal --python-version 3.10 --no-header --no-annotate --no-emit-index-url

.DEFAULT_GOAL := help
.PHONY: help demo test check lint test-matrix test-stack test-compose test-scale test-suites check-semconv bench bench-peers bench-check bench-scale redaction-recall soak api stack-up stack-demo native-stack pin-images boards pictures reference docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints/newest.txt scripts/environment.py
	@echo 'Setting up .venv, about a minute ...'
	@$(PYTHON) scripts/environment.py .venv constraints/newest.txt --group dev --editable '.[auto,cost,demo,files]'
	@touch $@

demo: $(READY) ## run a traced demo program without a key, Docker or network; options in DEMO_ARGS
	$(BIN)/otel-callbacks demo $(DEMO_ARGS)

test: $(READY) ## run the tests; options for pytest in PYTEST_ARGS, such as "-n 0 -x tests/cli"
	@echo 'Running the tests; all of them take about 4 minutes on 2 cores.'
	$(BIN)/python -m pytest -n auto --maxprocesses 8 $(PYTEST_ARGS)

lint: $(READY) ## check with ruff, its formatter and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

check: lint ## run lint, and the tests with branch coverage
	$(MAKE) test PYTEST_ARGS='--cov=otel_callbacks $(PYTEST_ARGS)'

test-matrix: ## run the tests with the oldest, the first stable and the newest releases
	$(PYTHON) scripts/matrix.py

test-suites: ## run the tests of LangChain and LangGraph themselves under the tracer
	$(PYTHON) scripts/suites.py

check-semconv: $(READY) ## check the telemetry of the demo and of recorded runs against the conventions
	$(BIN)/python -m pytest tests/semconv $(PYTEST_ARGS)

test-stack: $(READY) ## test the stack's files on the real Jaeger, Prometheus and collector, built from source once (needs go)
	$(BIN)/python -m pytest -m stack tests/stack --ignore tests/stack/test_compose.py $(PYTEST_ARGS)

test-compose: $(READY) ## test docker-compose.yml and docker-compose.scale.yml on a Docker engine
	$(BIN)/python -m pytest -m 'stack or scale' tests/stack/test_compose.py tests/scale/test_compose_scale.py $(PYTEST_ARGS)

test-scale: $(READY) ## test the tiers of deploy/scale on the real engines (needs go, Java 17 and Maven)
	$(BIN)/python -m pytest -m scale tests/scale --ignore tests/scale/test_compose_scale.py $(PYTEST_ARGS)

bench: $(READY) ## measure what the handler costs against the least possible, and write docs/performance.md
	$(BIN)/python -m benchmarks run $(BENCH_ARGS)
	$(BIN)/python -m benchmarks document

bench-peers: $(READY) ## measure other tracers as well, each in its own environment
	$(BIN)/python -m benchmarks peers
	$(BIN)/python -m benchmarks document

bench-check: $(READY) ## compare instruction counts with the committed baseline (needs valgrind and a C compiler)
	$(BIN)/python -m benchmarks check

bench-scale: $(READY) ## measure what a span costs in each tier of deploy/scale, and write benchmarks/scale.json
	$(BIN)/python scripts/scale_figures.py

redaction-recall: $(READY) ## measure redaction on the examples of other projects; their checkouts in RECALL_ARGS
	$(BIN)/python scripts/redaction_recall.py $(RECALL_ARGS)

soak: $(READY) ## run a mixed load for three minutes; check that nothing stays open and memory is flat
	$(BIN)/python -m benchmarks.soak

stack-up: $(READY) ## start Jaeger, Prometheus, Grafana and the collector with Docker
	$(BIN)/otel-callbacks stack up

stack-demo: $(READY) ## send demo traffic to the started stack for about a minute
	OTEL_CALLBACKS_CHUNK_METRICS=true $(BIN)/otel-callbacks demo --otlp http://localhost:4318 --for 60s \
	    --out .cache/stack-demo --json

native-stack: $(READY) ## run Jaeger, Prometheus and the collector without Docker, built from source (needs go)
	$(BIN)/python scripts/native_stack.py

pin-images: ## write the digests of all images into the compose files and manifests, as their registries give them
	$(PYTHON) scripts/pin_images.py

boards: $(READY) ## regenerate the Grafana boards and Prometheus rules
	$(BIN)/python dashboards/build.py

api: ## regenerate the listing of the public interface
	$(PYTHON) scripts/api.py

pictures: $(READY) ## regenerate the pictures of the documentation (needs Chromium and go)
	$(BIN)/python scripts/pictures.py
	$(BIN)/python scripts/board_pictures.py

reference: $(READY) ## regenerate the reference pages
	$(BIN)/python scripts/reference.py

docs: $(READY) ## build the documentation site; warnings are errors
	$(BIN)/mkdocs build --strict

lock: ## recompile the constraints, one file each for all Python versions
	$(PYTHON) -m venv $(LOCK)
	$(LOCK)/bin/python -m pip install --quiet --upgrade uv
	$(LOCK)/bin/uv pip compile $(LOCK_OPTIONS) --group dev --all-extras pyproject.toml --output-file constraints/newest.txt
	$(LOCK)/bin/uv pip compile $(LOCK_OPTIONS) --group suites --constraint constraints/newest.txt pyproject.toml \
	    --output-file constraints/suites.txt
	for name in oldest core-1.0; do \
	    $(LOCK)/bin/uv pip compile $(LOCK_OPTIONS) --group test --constraint constraints/$$name.in pyproject.toml \
	        --output-file constraints/$$name.txt || exit 1; \
	done

clean: ## remove .venv and all caches in this folder
	rm -rf .venv .cache .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
