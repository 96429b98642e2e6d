"""``dongbo replay`` on a real broker: rows that changed rules judge otherwise are sent again, once and in balance."""

from __future__ import annotations

import uuid
from dataclasses import replace
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

TOLD = ("valid", "rejected", "review")
"""What a replay reads besides the source's topic."""


class Live(Route):
    """The validate step on a real topic: what it reads stands in Kafka, and what it rejects goes there."""

    def __init__(self, kafka: str, registry_url: str) -> None:
        super().__init__(kafka, registry_url)
        name = f"rp{uuid.uuid4().hex[:8]}"
        self.kafka = kafka
        self.source = Source(self, name, self.civil_servant, "ministry")
        self.topic = self.source.at.topic
        told = [Topic(f"civil_servant.{kind}", 1) for kind in TOLD]
        ensure_topics(kafka, [Topic(self.topic, partitions=2), *told])
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
        for kind in TOLD:
            records = output.records.get(f"civil_servant.{kind}")
            if records:
                self.write([(key, value, 0) for key, value, *_ in records], f"civil_servant.{kind}")
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


def changed_rules(folder: Path, *changes: tuple[str, str]) -> Path:
    """The rules of civil servants with changes."""
    file = folder / "changed-rules.yaml"
    text = (schemas_root() / "civil_servant/rules.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return file


def counted_up(rule: str) -> tuple[str, str]:
    return f"  - id: {rule}\n", f"  - id: {rule}\n    version: 2\n"


@pytest.fixture
def lenient(tmp_path: Path) -> Path:
    """Rules in which a recruit may be sixteen: the next version of VR12."""
    return changed_rules(tmp_path, ("ELSE 18 END", "ELSE 16 END"), counted_up("VR12"))


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


def test_accepted_rows_that_changed_rules_judge_otherwise_are_judged_anew_once(
    kafka: str, registry_url: str, tmp_path: Path
) -> None:
    path = Live(kafka, registry_url)
    refused, warned, repaired, same, waiting = CIVIL_SERVANTS[4:9]
    broken = CIVIL_SERVANTS[13]
    unit = {"managing_agency_code": "H26.1", "old_id_card_no": None}
    path.capture(refused, truth(refused, **{**unit, "old_id_card_no": "123456789"}))
    path.capture(warned, truth(warned, **unit, tax_code="0100000011"))
    path.capture(repaired, truth(repaired, **unit, phone="+84 912 345 678"))
    path.capture(same, truth(same, **unit))
    path.capture(waiting, truth(waiting, **unit, citizen_id=None))
    path.capture(broken, truth(broken, **{**unit, "old_id_card_no": "123456789"}, email="nobody"))
    path.validate()
    assert path.outcomes(path.topic)["rejected"] == 1
    assert path.replay(path.civil_servant).pending().changes == {}
    stricter = ("old_id_card_no ~ '^[0-9]{9}$'", "old_id_card_no ~ '^0[0-9]{8}$'")
    severe = ("  - id: VR08\n    severity: WARN", "  - id: VR08\n    severity: ERROR")
    rules = changed_rules(tmp_path, stricter, severe, *map(counted_up, ("VR08", "TAX_CODE", "VR10", "NO_ID")))
    changed = with_rules(path.civil_servant, rules)
    path.install(changed)

    told = path.replay(changed).pending()
    sent = path.replay(changed).send()

    assert {change: len(rows) for change, rows in told.changes.items()} == {
        ("VR08@2", "newly rejected"): 1,
        ("VR08@2", "rejected for this too"): 1,
        ("NO_ID@2", "review for this too"): 1,
        ("NO_ID@1", "review for others"): 1,
        ("TAX_CODE@1", "no longer warned"): 1,
        ("TAX_CODE@2", "newly warned"): 1,
        ("VR10@1", "no longer fixed"): 1,
        ("VR10@2", "newly fixed"): 1,
    }
    assert (told.due, told.sent, sent.sent, path.validate()) == (5, 0, 5, 5)
    assert path.replay(changed).send().sent == path.validate() == 0
    after = path.outcomes(path.topic)
    assert sum(after.values()) - after["received"] == path.captured + path.counted() == after["received"]
    verdicts = {said["row"]: said for said in path.last("civil_servant.verdict").values()}
    assert verdicts[f"public.t/{refused}"]["rule"] == "VR08@2"
    assert "TAX_CODE@2" in verdicts[f"public.t/{warned}"]["warnings"]
    assert "VR10@2" in verdicts[f"public.t/{repaired}"]["fixes"]
    assert verdicts[f"public.t/{waiting}"]["rule"] == "NO_ID@2"
    assert f"public.t/{same}" not in verdicts or "VR08" not in str(verdicts[f"public.t/{same}"])


def test_a_row_about_which_a_person_decided_is_left_alone(kafka: str, registry_url: str, tmp_path: Path) -> None:
    path = Live(kafka, registry_url)
    taken, refused = CIVIL_SERVANTS[9:11]
    for row in (taken, refused):
        path.capture(row, truth(row, managing_agency_code="H26.1", citizen_id=None))
    path.validate()
    path.decide(f"public.t/{taken}", "set", citizen_id=str(truth(taken)["citizen_id"]))
    path.decide(f"public.t/{refused}", "reject", id="2")
    changed = with_rules(path.civil_servant, changed_rules(tmp_path, counted_up("NO_ID")))
    path.install(changed)

    assert path.replay(changed).send().sent == 0


def test_what_the_rules_do_not_decide_is_judged_as_by_the_validate_step(kafka: str, registry_url: str) -> None:
    path = Live(kafka, registry_url)
    # 00097 is a commune that was split, or one of the present: by the list that the source's codes are of.
    mapping = replace(path.civil_servant.mapping("canonical"), units="GSO2004")
    dataset = replace(path.civil_servant, mappings={"canonical": mapping})
    path.install(dataset)
    split, cut = CIVIL_SERVANTS[11:13]
    path.capture(split, truth(split, managing_agency_code="H26.1", current_province="01", current_commune="00097"))
    path.capture(cut, truth(cut, managing_agency_code="H26.1", current_address="__debezium_unavailable_value"))
    path.validate()
    assert path.outcomes(path.topic)["rejected"] == 1

    replay = path.replay(dataset)

    assert (replay.pending().changes, replay.send().sent, path.validate()) == ({}, 0, 0)
