"""The same database captured by real Debezium and by us: the records compared field by field.

``make test-differential``; ``make test`` leaves it out. The scenarios' statements run while both connectors stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from bench.connect import ConnectWorker
from sync.embedded.stack import Stack
from tests.differential.changes import CHANGES
from tests.differential.compare import Difference
from tests.differential.features import FEATURES
from tests.differential.known import KNOWN, MISSING, OPEN, REFUSED
from tests.differential.run import run
from tests.differential.scenario import Scenario
from tests.differential.schema_changes import SCHEMA_CHANGES
from tests.differential.types import TYPES

AT_ONCE = 6
"""Scenarios under way at once: most of their time is waiting."""

SCENARIOS = (*CHANGES, *SCHEMA_CHANGES, *FEATURES, *TYPES)

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
