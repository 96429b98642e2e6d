"""When the candidates step answers cases: not while a load comes in, each once when it is there, all after a loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

from sync.kafka import Message
from sync.process.blocking import ENTRY, Index
from sync.process.bridge import Again
from sync.process.candidate import _ROUND, Candidates, Matched
from sync.process.outbox import Subjects
from sync.process.state import Items

CASES, PEOPLE = "civil_servant.review", "population.golden"
PARTS = [(CASES, 0), (PEOPLE, 0), (PEOPLE, 1)]


class Written:
    """An index of so many open cases that notes what is written and refuses to be asked."""

    def __init__(self, cases: int) -> None:
        self.keys = [ENTRY + b"%d" % number for number in range(cases)]
        self.written = 0

    def write(self, topic: str, partition: int, items: Items) -> Items:
        del topic, partition
        self.written += len(items)
        return [(b"bname\x00" + key, b"") for key, _ in items]

    def scan(self, topic: str, prefixes: Iterable[bytes], most: int) -> list[bytes]:
        assert (topic, list(prefixes)) == (CASES, [ENTRY])
        assert most >= len(self.keys)
        return self.keys

    def look(self, topic: str, keys: Sequence[bytes]) -> list[bytes | None]:
        assert not keys, f"asked for {topic} while a load comes in"
        return []


def made(index: Written) -> Candidates:
    step = Candidates(
        subjects=cast(Subjects, SimpleNamespace(candidates=lambda _: None)),
        index=cast(Index, index),
        weights=cast(Any, None),
        register=cast(Any, None),
        discover=tuple,
    )
    aliases = SimpleNamespace(reload=lambda: None, look=lambda *_: None, golden="civil_servant.golden")
    matched = SimpleNamespace(dataset=None, cases=CASES, people=PEOPLE, aliases=aliases)
    step._matched[CASES] = cast(Matched, matched)
    return step


def keys(found: Sequence[Again]) -> list[bytes | None]:
    return [one.key() for one in found]


def test_all_open_cases_are_handed_out_once_and_some_at_a_time_when_all_was_read() -> None:
    index = Written(2 * _ROUND + 5)
    step = made(index)
    assert step.again(PARTS, anew=True) == []
    for part in PARTS[:-1]:
        step.ended(*part)
        assert step.again(PARTS, anew=False) == []
    step.ended(*PARTS[-1])
    rounds = [keys(step.again(PARTS, anew=False)) for _ in range(4)]
    assert [len(found) for found in rounds] == [_ROUND, _ROUND, 5, 0]
    assert [ENTRY + key for found in rounds for key in found if key is not None] == index.keys


def test_a_lost_batch_and_a_partition_that_came_hand_out_all_cases_again() -> None:
    step = made(Written(3))
    for part in PARTS[:-1]:
        step.ended(*part)
    assert len(step.again(PARTS[:-1], anew=True)) == 3
    assert step.again(PARTS[:-1], anew=False) == []
    assert len(step.again(PARTS[:-1], anew=True)) == 3
    assert step.again(PARTS, anew=True) == []
    step.ended(*PARTS[-1])
    assert len(step.again(PARTS, anew=False)) == 3


def test_people_who_come_with_a_load_are_indexed_and_ask_for_no_case() -> None:
    index = Written(3)
    step = made(index)
    step.again(PARTS, anew=True)
    people = [
        SimpleNamespace(topic=lambda: PEOPLE, partition=lambda: 0, key=lambda key=key: key, value=lambda: b"value")
        for key in (b"%d" % number for number in range(10))
    ]
    step.process(cast(list[Message], people))
    assert index.written == 10
