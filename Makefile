# Every target sets up what it needs in .venv: nothing but Python >= 3.11 and make has to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
# Tests start many processes: where no bytecode may be written each of them compiles all modules anew.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

.DEFAULT_GOAL := test
.PHONY: setup demo test test-differential test-crash test-corpus test-group check format docs bench bench-capture bench-e2e bench-process bench-worker lock clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=…" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -c "from sync.schema import loops; from sync.source.postgresql import kernel; loops.prepare(); kernel.prepare()"  # compiled now: no first use waits for it
	touch $(READY)

demo: $(READY)  ## The main job end to end on real parts; ARGS="--rows 300000 --keep" and the like
	$(BIN)/dongbo demo $(ARGS)

test: check  ## Linters, types, import directions, all tests
	$(PYTEST) -n 3 --dist worksteal $(ARGS)

test-differential: $(READY)  ## Capture and REST API beside real Debezium on Kafka Connect, record by record and answer by answer (80 MB of jars once)
	DONGBO_TEST_DEBEZIUM=required $(PYTEST) tests/differential $(ARGS)

test-crash: $(READY)  ## Twenty rounds of SIGKILL of the connector, PostgreSQL and the broker under load
	DONGBO_TEST_CRASH_ROUNDS=20 $(PYTEST) -s tests/integration/test_postgresql_source_crash.py $(ARGS)

test-corpus: $(READY)  ## Cleaning on labelled corpora of other seeds and mixtures: precision and recall by error class
	DONGBO_TEST_CORPUS=5 $(PYTEST) -s tests/unit/rule/test_corpus.py $(ARGS)

test-group: $(READY)  ## Workers through kill, join, freeze, cut, stop and common restart: each task runs again within ten seconds
	DONGBO_TEST_HEAL_SECONDS=10 $(PYTEST) -s tests/integration/test_connect_group.py $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)  ## Renew the reference pages that come from the code
	$(BIN)/python -m docs.generate

bench: bench-capture bench-e2e bench-process bench-worker

bench-capture: $(READY)  ## Capture beside Debezium on Kafka Connect, alternating on the same machine
	$(BIN)/python -m bench.capture $(ARGS)

bench-e2e: $(READY)  ## The whole path beside Debezium + JDBC sink, alternating on the same machine
	$(BIN)/python -m bench.end_to_end $(ARGS)

bench-process: $(READY)  ## Validate and reconcile beside fastavro + Python and stock Faust, alternating on the same machine
	$(BIN)/python -m bench.process $(ARGS)

bench-worker: $(READY)  ## A worker's CPU and memory at rest, and the time of API calls with many connectors
	$(BIN)/python -m bench.worker $(ARGS)

lock: $(READY)  ## Renew requirements.lock; no registry's name gets into it
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --generate-hashes --universal --python-version 3.11 \
		--no-emit-index-url --no-header --quiet --output-file requirements.lock

clean:
	-test -x $(BIN)/dongbo && $(BIN)/dongbo demo --stop && $(BIN)/dongbo dev down
	rm -rf $(VENV) .dongbo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench/results dist
