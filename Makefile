# Every target does its own set-up: a fresh machine needs Python 3.11 to 3.13 and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
export DAGSTER_DISABLE_TELEMETRY := true
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DO_NOT_TRACK := 1
export OTEL_SDK_DISABLED := true
# Containers often set it; then each process compiles 1,700 modules of Dagster and dbt again, 2 to 3 seconds every time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all torture spark dev lint bench docs lock clean

demo: .venv/ready  ## break a month of data, heal it, prove it
	$(BIN)/reliability demo

test: .venv/ready  ## every test, on real parts
	$(BIN)/python -m pytest

torture: .venv/ready  ## kill every stage at seeded moments; all must be as if nothing had happened
	$(BIN)/python -m tests.torture

test-all: .venv/ready  ## those that take minutes, too: the demo's month, hostile ground, lost homes, drills
	$(BIN)/python -m pytest -m "exhaustive or not exhaustive"

spark: .venv/ready  ## the same tables on Apache Spark as on DuckDB, with workers and drivers killed; needs Java 17, takes long
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -r tests/spark/requirements.txt
	$(BIN)/python -m pytest -n 0 -m exhaustive tests/spark

dev: .venv/ready  ## Dagster UI on loopback with its daemon: schedules and sensors live
	$(BIN)/reliability dev

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	RELIABILITY_HOME=$(CURDIR)/.venv/lint $(BIN)/sqlfluff lint dbt_project

bench: .venv/ready  ## what it costs, beside one bare DuckDB script in the same run and the aims
	$(BIN)/python -m tests.bench $(BENCH)

docs: .venv/ready  ## the site of docs/ in site/; a dead link fails
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

.venv: .venv/ready

# uv installs the lock in seconds; --no-deps because one package's metadata forbids the DuckDB we run (see pyproject.toml).
# What is imported here is compiled once: the tests begin with three processes, and each would compile all of it.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -c "import dagster_dbt" & $(BIN)/python -c "import dbt.cli.main, soda.scan, pandas, pyarrow"; wait
	$(BIN)/python -m compileall -q reliability_platform
	touch $@

lock: .venv/ready  ## resolve again, for all supported Pythons at once
	$(BIN)/uv pip compile pyproject.toml --quiet --extra dev --extra docs --universal --python-version 3.11 \
	  --upgrade --no-header --no-annotate --no-emit-index-url --output-file requirements.lock

clean:  ## remove what the platform and its tools made; never the lock, never your code
	rm -rf data dbt_project/target dbt_project/logs .pytest_cache .mypy_cache .ruff_cache site
