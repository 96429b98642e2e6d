"""``dongbo replay`` on a real broker: what changed rules change, and rejected rows sent again, once and in balance."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest

from sync.kafka.client import Topic, ensure_topics
from sync.kafka.history import history
from sync.kafka.transaction import Transactions
from sync.process.bridge import Output
from sync.process.validate import Table
from sync.schema.avro import decode_one, split
from sync.schema.dataset import Dataset, with_rules
from sync.schema.location import schemas_root
from sync.schema.reference import load_reference
from sync.steward.replay import Replay
from tests.integration.route import TODAY, Arrived, Route, Source, truth

pytestmark = pytest.mark.integration

LENIENT = "lenient-rules.yaml"


class Live(Route):
    """The validate step on a real topic: what it reads stands in Kafka, and what it rejects goes there."""

    def __init__(self, kafka: str, registry_url: str) -> None:
        super().__init__(kafka, registry_url)
        name = f"rp{uuid.uuid4().hex[:8]}"
        self.kafka = kafka
        self.source = Source(self, name, self.civil_servant, "ministry")
        self.topic = self.source.at.topic
        ensure_topics(kafka, [Topic(self.topic, partitions=2), Topic("civil_servant.rejected", 1)])
        self.seen: set[tuple[int, int]] = set()
        self.captured = 0
        self.writer = Transactions(kafka, f"test-replay-{name}")
        self.writer.open()

    def capture(self, row: int, record: dict[str, Any] | None) -> None:
        """A change of the source, in Kafka."""
        made = self.source.change(row, record)
        self.write([(made.key(), made.value(), row % 2)])
        self.captured += 1

    def write(self, items: list[Any], topic: str | None = None) -> None:
        self.writer.commit({topic or self.topic: items})

    def validate(self) -> int:
        """Validate what is new in the topic; how many changes that was."""
        records = sorted(history(self.kafka, self.topic)[0], key=lambda record: (record.partition, record.offset))
        fresh = [record for record in records if (record.partition, record.offset) not in self.seen]
        self.seen |= {(record.partition, record.offset) for record in fresh}
        self.send(*(Arrived(self.topic, item.partition, item.offset, item.key, item.value) for item in fresh))
        return len(fresh)

    def _take(self, output: Output) -> list[Arrived]:
        rejected = output.records.get("civil_servant.rejected")
        if rejected:
            self.write([(key, value, 0) for key, value, *_ in rejected], "civil_servant.rejected")
        return super()._take(output)

    def install(self, dataset: Dataset) -> None:
        """Rules that the processors have after their restart."""
        self.validator._tables[self.topic] = Table(self.source.at, dataset)

    def counted(self) -> int:
        """How many changes the ledger's topic says were captured by replays of this source."""
        total = 0
        for record in history(self.kafka, "dongbo.ledger")[0]:
            schema_id, datum = split(record.value)
            told = decode_one(self.registry.schema(schema_id), datum)
            total += told["count"] if (told["topic"], told["outcome"]) == (self.topic, "captured") else 0
        return total

    def replay(self, dataset: Dataset, transactions: Any = Transactions) -> Replay:
        return Replay(
            self.kafka,
            self.registry,
            dataset,
            [self.source.at],
            load_reference(),
            TODAY,
            transactions=transactions,
        )


@pytest.fixture
def lenient(tmp_path: Path) -> Path:
    """Rules in which a recruit may be sixteen: the next version of VR12."""
    file = tmp_path / LENIENT
    shutil.copy(schemas_root() / "civil_servant/rules.yaml", file)
    text = file.read_text(encoding="utf-8")
    for old, new in (("ELSE 18 END", "ELSE 16 END"), ("  - id: VR12\n", "  - id: VR12\n    version: 2\n")):
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return file


CIVIL_SERVANTS = [index for index in range(70, 140) if truth(index)["personnel_type"] == "CC"]


def young(index: int) -> dict[str, Any]:
    """A civil servant who was recruited at seventeen."""
    record = truth(index, managing_agency_code="H26.1")
    year = int(str(record["birth_date"])[:4])
    return {**record, "first_recruitment_date": type(record["first_recruitment_date"])(year + 17, 12, 31)}


def test_rejected_rows_are_taken_by_changed_rules_once_and_the_ledger_balances(
    kafka: str, registry_url: str, lenient: Path
) -> None:
    path = Live(kafka, registry_url)
    first, second, third, *_ = CIVIL_SERVANTS
    path.capture(first, young(first))
    path.capture(second, young(second))
    path.capture(12, {**truth(12, managing_agency_code="H26.1"), "gender": None})
    path.capture(13, truth(13, managing_agency_code="H26.1"))
    path.capture(third, young(third))
    path.capture(third, None)
    assert path.validate() == 6
    before = path.outcomes(path.topic)
    assert before["rejected"] == 4
    changed = with_rules(path.civil_servant, lenient)

    dry = path.replay(path.civil_servant).compare(changed)

    assert {change: len(rows) for change, rows in dry.changes.items()} == {("VR12@1", "newly accepted"): 2}
    assert (dry.rows, dry.sent, path.validate()) == (4, 0, 0)

    path.install(changed)
    replay = path.replay(changed)
    assert {change: len(rows) for change, rows in replay.pending().changes.items()} == {("VR12@1", "newly accepted"): 2}
    sent = replay.send()
    assert sent.sent == path.validate() == path.counted() == 2
    assert replay.send().sent == path.validate() == 0
    after = path.outcomes(path.topic)
    assert sum(after.values()) - after["received"] == path.captured + path.counted() == after["received"]
    assert after["rejected"] == before["rejected"]
    assert (after - before)["review"] + (after - before)["applied"] + (after - before)["merged"] == 2


def test_a_change_that_comes_between_is_not_overtaken(kafka: str, registry_url: str, lenient: Path) -> None:
    path = Live(kafka, registry_url)
    index = CIVIL_SERVANTS[3]
    path.capture(index, young(index))
    path.validate()
    changed = with_rules(path.civil_servant, lenient)
    good = truth(index, managing_agency_code="H26.1")

    class Late(Transactions):
        """The source changes the row while the replay's transaction is open."""

        def flush(self) -> None:
            if path.captured == 1:
                path.capture(index, good)
            super().flush()

    assert path.replay(changed, Late).send().sent == 0
    newest = [record.value for record in history(kafka, path.topic)[0] if record.partition == index % 2][-1]
    assert newest == path.source.change(index, good, lsn=2).value()
