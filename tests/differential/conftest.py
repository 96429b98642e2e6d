"""The real Kafka Connect worker with Debezium in it, once a session; and the mark of this folder's tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.connect import ConnectWorker, jars, java
from sync.embedded.stack import Stack
from sync.errors import SyncError

_HERE = Path(__file__).parent
_WANTED = os.environ.get("DONGBO_TEST_DEBEZIUM", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark this folder's tests, so that ``-m "not debezium"`` leaves them out."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.debezium)


@pytest.fixture(scope="session")
def worker(stack: Stack) -> Iterator[ConnectWorker]:
    """A running worker. Skips unless ``DONGBO_TEST_DEBEZIUM`` is set; ``required``: what lacks is a failure."""
    if not _WANTED:
        pytest.skip("the differential test runs by `make test-differential`")
    try:
        java()
        jars()
    except SyncError as error:
        if _WANTED == "required":
            raise
        pytest.skip(str(error))
    made = ConnectWorker(stack.data_dir, stack.endpoints())
    # A null stays a null where the column has a default: the converter would write the default.
    converters = {f"{kind}.converter.replace.null.with.default": "false" for kind in ("key", "value")}
    made.start({"offset.flush.interval.ms": "1000", **converters})
    made.register({})
    yield made
    made.programs.stop()
