"""The REST API beside a real Kafka Connect worker: one long script of requests, answer by answer."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bench.connect import ConnectWorker, jars, java, logging_jars
from bench.program import Programs
from sync.embedded.stack import Stack
from sync.errors import SyncError
from sync.kafka.client import Topic, ensure_topics, producer
from tests.differential.rest.difference import DIFFERENCES, Difference
from tests.differential.rest.place import Places
from tests.differential.rest.script import script
from tests.differential.rest.side import Side
from tests.differential.rest.step import Answer, Step
from tests.worker_process import OurWorker, await_healthy

_WANTED = os.environ.get("DONGBO_TEST_DEBEZIUM", "")


@pytest.fixture
def sides(stack: Stack) -> Iterator[tuple[Side, Side]]:
    """Kafka Connect and ours. Skips as ``worker`` of this folder does."""
    if not _WANTED:
        pytest.skip("the differential test runs by `make test-differential`")
    try:
        java(), jars(), logging_jars()
    except SyncError as error:
        if _WANTED == "required":
            raise
        pytest.skip(str(error))
    run, endpoints = uuid.uuid4().hex[:6], stack.endpoints()
    peer = ConnectWorker(stack.data_dir, endpoints, "connect-rest", f"peer{run}")
    programs = Programs(stack.data_dir)
    ours = OurWorker(programs, endpoints, f"ours{run}")
    try:
        peer.start({"offset.flush.interval.ms": "1000"}, log4j=True)
        ours.start()
        await_healthy(peer.url, peer.programs)
        secret = endpoints.postgres_password
        yield Side(peer.url, f"p{run}", secret), Side(ours.url, f"o{run}", secret)
    finally:
        programs.stop()
        peer.programs.stop()


@pytest.fixture
def places(stack: Stack, database: Callable[[str], str]) -> Places:
    """A table to capture, and a topic of five records that no sink can read."""
    bootstrap, topic = stack.endpoints().bootstrap, f"rest-{uuid.uuid4().hex[:6]}"
    dsn = database("rest")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    ensure_topics(bootstrap, [Topic(topic, 2)])
    writer = producer(bootstrap)
    for number in range(5):
        writer.produce(topic, value=None, key=None, partition=number % 2)
    writer.flush()
    server = conninfo_to_dict(dsn)
    return Places(str(server["host"]), str(server["port"]), str(server["user"]), str(server["dbname"]), topic)


def test_every_answer_is_kafka_connects_or_differs_as_listed(sides: tuple[Side, Side], places: Places) -> None:
    peer, ours = sides
    used: set[str] = set()
    wrong: list[str] = []
    steps = 0
    for step in script(places):
        steps += 1
        theirs, mine = _viewed(step, peer.play(step)), _viewed(step, ours.play(step))
        used |= (found := explain(step, theirs, mine)) or set()
        if found is None:
            wrong.append(f"{steps}: {step}\n  Connect {theirs}\n  ours    {mine}")
    assert not wrong, f"{len(wrong)} of {steps} answers differ:\n" + "\n".join(wrong)
    assert used == {difference.what for difference in DIFFERENCES}
    assert steps > 400


def explain(step: Step, theirs: Answer, ours: Answer) -> set[str] | None:
    """The differences that make Connect's answer ours, or None where they don't."""
    used: set[str] = set()
    for difference in DIFFERENCES:
        if difference.rewrite is not None and theirs != ours:
            told = difference.rewrite(step, theirs)
            if told != theirs:
                used.add(difference.what)
                theirs = told
    if theirs == ours:
        return used
    covering = next((d for d in DIFFERENCES if _covers(d, step, theirs, ours)), None)
    return None if covering is None else used | {covering.what}


def _covers(difference: Difference, step: Step, theirs: Answer, ours: Answer) -> bool:
    return difference.covers is not None and difference.covers(step, theirs, ours)


def _viewed(step: Step, answer: Answer) -> Answer:
    body = answer.body
    if step.view is not None and answer.status < 300:
        body = step.view(body)
    return replace(answer, body=_sorted_map(body))


def _sorted_map(body: Any) -> Any:
    """A Java map in a message has no order."""
    found = (
        re.fullmatch(r"(.*Connector config \{)(.*)(\} contains no.*)", str(body.get("message")))
        if isinstance(body, dict)
        else None
    )
    if found is None:
        return body
    return {**body, "message": found[1] + ", ".join(sorted(found[2].split(", "))) + found[3]}
