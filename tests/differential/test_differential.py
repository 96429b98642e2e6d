"""The same database captured by real Debezium and by us: the records compared field by field.

``make test-differential``; ``make test`` leaves it out. The scenarios' statements run while both connectors stream.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest

from bench.connect import ConnectWorker
from sync.embedded.stack import Stack
from tests.differential.changes import CHANGES
from tests.differential.compare import Difference
from tests.differential.features import FEATURES
from tests.differential.form import Record
from tests.differential.known import KNOWN, MISSING, OPEN, REFUSED
from tests.differential.run import run
from tests.differential.scenario import BASE, Scenario
from tests.differential.schema_changes import SCHEMA_CHANGES
from tests.differential.sides import Ours, Peer, config
from tests.differential.transforms import TRANSFORMS
from tests.differential.types import TYPES

AT_ONCE = 6
"""Scenarios under way at once: most of their time is waiting."""

SCENARIOS = (*CHANGES, *SCHEMA_CHANGES, *FEATURES, *TRANSFORMS, *TYPES)

Outcomes = Mapping[str, Future[list[Difference]]]


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, stack: Stack, worker: ConnectWorker) -> Iterator[Outcomes]:
    """The differences of each scenario whose test was chosen, by name."""
    chosen = [item.callspec.params.get("scenario") for item in request.session.items if hasattr(item, "callspec")]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            scenario.name: pool.submit(run, scenario, stack.endpoints(), worker)
            for scenario in chosen
            if isinstance(scenario, Scenario)
        }


def _parameter(scenario: Scenario) -> object:
    marks = []
    if scenario.name in MISSING:
        marks.append(pytest.mark.xfail(strict=True, reason=MISSING[scenario.name]))
    return pytest.param(scenario, id=scenario.name, marks=marks)


@pytest.mark.parametrize("scenario", [_parameter(one) for one in SCENARIOS])
def test_the_records_are_debeziums(scenario: Scenario, outcomes: Outcomes) -> None:
    if scenario.name in REFUSED:
        assert REFUSED[scenario.name] in str(outcomes[scenario.name].exception())
        return
    found = outcomes[scenario.name].result()
    unknown = [one for one in found if not any(entry.covers(scenario.name, one.path) for entry in (*KNOWN, *OPEN))]
    assert not unknown, f"{len(unknown)} differences:\n" + "\n".join(map(str, unknown))


def test_every_known_difference_is_still_one(outcomes: Outcomes) -> None:
    if len(outcomes) < len(SCENARIOS):
        pytest.skip("not all scenarios were chosen")
    there = [(name, one.path) for name, run_ in outcomes.items() if run_.exception() is None for one in run_.result()]
    idle = [entry for entry in (*KNOWN, *OPEN) if not any(entry.covers(*where) for where in there)]
    assert not idle, f"these differ no longer: {idle}"


def test_we_go_on_where_debezium_stopped(
    database: Callable[[str], str], kafka: str, registry_url: str, worker: ConnectWorker
) -> None:
    """docs/debezium.md: the same slot and publication, ``snapshot.mode=no_data``."""
    mark = uuid.uuid4().hex[:8]
    peer, ours = Peer(kafka, f"peer_{mark}", worker), Ours(kafka, f"ours_{mark}", registry_url)
    dsn = database("switch")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(BASE.encode())
        connection.execute("insert into t values (1, 'một')")
        with peer.running(config(dsn, peer.prefix, {})):
            peer.wait("t", lambda record: _id(record) == 1)
            connection.execute("insert into t values (2, 'hai')")
            peer.wait("t", lambda record: _id(record) == 2)
        connection.execute("insert into t select n, 'x' from generate_series(3, 1000) n")
        taken_over = {"slot.name": peer.prefix, "publication.name": peer.prefix, "snapshot.mode": "no_data"}
        with ours.running(config(dsn, ours.prefix, taken_over)):
            ours.wait("t", lambda record: _id(record) == 1000)
            connection.execute("update t set ten = 'y' where id = 3")
            ours.wait("t", lambda record: record.value is not None and record.value.payload["op"] == "u")
    records = ours.read(f"{ours.prefix}.public.t")
    found = [_id(record) for record in records if record.value is not None and record.value.payload["op"] == "c"]
    # What Debezium had not confirmed to the server yet comes again, as after any restart of it.
    assert found in ([*range(3, 1001)], [*range(2, 1001)])


def _id(record: Record) -> object:
    return record.key.payload["id"] if record.key is not None else None
