"""Rules across datasets on a real broker: what is found reaches the owner, is counted, and is taken back."""

from __future__ import annotations

import json
import shutil
import uuid
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sync.connect.problem import BadRequest
from sync.kafka.client import read_all
from sync.kafka.transaction import Transactions
from sync.process.bridge import Output
from sync.process.decision import RELATION, Decisions
from sync.process.outbox import Outbox, Subjects
from sync.process.relation.finding import SOURCE
from sync.process.relation.index import ENTRY, Relating, unpacked
from sync.process.relation.layout import Layout
from sync.schema.avro import decode_one, split
from sync.schema.dataset import load
from sync.schema.registry import RegistryClient
from sync.steward.review import Review, Verdict
from tests.integration.golden import Golden
from tests.integration.processors import register_source, running, wait
from tests.integration.route import Route, Source, truth

pytestmark = pytest.mark.integration


class Told:
    """What topics tell now."""

    def __init__(self, kafka: str, registry_url: str) -> None:
        self._kafka = kafka
        self._registry = RegistryClient(registry_url)

    def last(self, topic: str) -> dict[str, dict[str, Any]]:
        """The verdicts or findings of a compacted topic by row, or by key where it tells no row."""
        held: dict[str, dict[str, Any] | None] = {}
        for message in read_all(self._kafka, topic):
            key = self._read(message.key()) or {}
            held["|".join(str(part) for name, part in key.items() if name != "source")] = self._read(message.value())
        return {row: value for row, value in held.items() if value is not None}

    def counts(self, dataset: str, source: str) -> Counter[tuple[str, str]]:
        """The sums of ``dongbo.findings`` of a source, by unit and rule, without zeros."""
        sums: Counter[tuple[str, str]] = Counter()
        for message in read_all(self._kafka, "dongbo.findings"):
            record = self._read(message.value()) or {}
            if (record["dataset"], record["source"]) == (dataset, source):
                for rule, number in json.loads(record["findings"]).items():
                    sums[record["unit"], rule] += number
        return Counter({key: number for key, number in sums.items() if number})

    def _read(self, data: bytes | None) -> dict[str, Any] | None:
        if data is None:
            return None
        schema_id, datum = split(data)
        return decode_one(self._registry.schema(schema_id), datum)


def in_use(kafka: str, registry_url: str, *datasets: str) -> None:
    """Register a source for each of the datasets."""
    path = Route(kafka, registry_url)
    for dataset in datasets:
        register_source(kafka, Source(path, f"{dataset}_{uuid.uuid4().hex[:6]}", load(dataset), "ministry"))


def test_what_belongs_to_nobody_is_told_counted_and_taken_back_also_after_a_restart_on_an_empty_disk(
    kafka: str, registry_url: str, tmp_path: Path
) -> None:
    mark = uuid.uuid4().hex[:6]
    number, agency, source = f"001090{int(mark, 16) % 10**6:06d}", f"H26.{mark}", f"hn{mark}"
    golden, told = Golden(kafka, registry_url), Told(kafka, registry_url)
    golden.subjects.findings()
    for dataset in map(load, ("civil_servant", "organization_unit", "award_history")):
        for locality in (None, "01", "31"):
            golden.subjects.verdict(dataset, locality)
    person = {"citizen_id": number, "employing_unit_code": agency, "managing_agency_code": "H26.1"}
    person |= {"employment_status": "DANG_LAM_VIEC", "payroll_quota_type": "BC_CC"}
    second = {**person, "citizen_id": f"001190{number[6:]}"}
    unit = {"agency_code": agency, "status": "HOAT_DONG", "quota_assigned": 1, "headcount_actual": 1}
    award = {"citizen_id": number, "decision_no": mark, "year": 2025}
    row = f"{number}|{mark}"

    def verdict(dataset: str, row: str, locality: str = ".01") -> dict[str, Any] | None:
        return told.last(f"{dataset}.verdict{locality}").get(row)

    in_use(kafka, registry_url, "civil_servant", "award_history")
    golden.write(golden.message("award_history", award, source=source))
    with running(("relations",), kafka, registry_url, tmp_path) as check:
        found = wait(check, lambda: verdict("award_history", row))
        assert (found["source"], found["outcome"], found["rule"]) == (SOURCE, "MATCH", "PARENT@1")
        assert (found["topic"], found["locality"]) == (f"{source}.public.t", "01")
        assert told.counts("award_history", source) == {("01", "PARENT@1"): 1}

        # The person comes, and the units into use: that of the person is not there.
        in_use(kafka, registry_url, "organization_unit")
        golden.write(golden.message("civil_servant", person, source=source))
        wait(check, lambda: verdict("award_history", row) is None and verdict("civil_servant", number))
        assert told.counts("award_history", source) == {}
        assert told.counts("civil_servant", source) == {("H26", "ORG01@1"): 1}

    # Nothing is known on disk any more, and meanwhile the unit comes with a second person beyond its quota.
    shutil.rmtree(tmp_path / "state")
    golden.write(golden.message("organization_unit", unit), golden.message("civil_servant", second, source=source))
    with running(("relations",), kafka, registry_url, tmp_path) as check:
        found = wait(check, lambda: verdict("civil_servant", number) is None and verdict("organization_unit", agency))
        assert [one["rule"] for one in json.loads(found["warnings"])] == ["ORG02@1", "ORG03@1"]

        # Another province takes the unit over, and the award's person goes: who was told is told otherwise.
        golden.write(
            golden.message("organization_unit", unit, locality="31"),
            golden.message("civil_servant", person, source=source, gone=True),
        )
        wait(check, lambda: verdict("organization_unit", agency) is None and verdict("award_history", row))
        assert verdict("organization_unit", agency, ".31") is None
        assert told.counts("civil_servant", source) == told.counts("organization_unit", "hn") == {}
    assert number not in "".join(log.read_text() for log in tmp_path.glob("*.log"))
    golden.close()


def test_a_steward_can_only_accept_a_record_that_does_not_agree_with_another_datasets(
    kafka: str, registry_url: str
) -> None:
    award, mark = load("award_history"), uuid.uuid4().hex[:6]
    registry = RegistryClient(registry_url)
    subjects = Subjects(registry, kafka, 2)
    case = {"dataset": award.id, "source": SOURCE, "row": f"1|{mark}", "topic": "hn.public.t", "entity": f"1|{mark}"}
    case |= {"code": "WHOSE", "opened_at": 0, "status": "open", "stage": RELATION, "facts": "f"}
    outbox, output = Outbox(), Output()
    outbox.add(subjects.review(award), {"source": SOURCE, "row": case["row"]}, case)
    outbox.flush(output)
    with closing(Transactions(kafka, "test-case")) as transactions:
        transactions.open()
        transactions.commit(output.records)
    decisions = Decisions(kafka, registry, subjects)
    decisions.follow(award)
    with closing(Review(kafka, registry_url)) as service:
        (opened,) = [one for one in service.cases(award.id) if one["row"] == case["row"]]
        with pytest.raises(BadRequest, match="another dataset"):
            service.resolve(award.id, opened["id"], Verdict("reject", "an", "no", {}))
        service.resolve(award.id, opened["id"], Verdict("accept", "an", "a trainee", {}))

    (made,) = [one for one in decisions.fresh() if one.case.row == case["row"]]
    assert (made.case.stage, made.action, made.facts) == (RELATION, "accept", "f")


def test_the_blamed_source_is_read_from_lineage_as_the_reconciler_writes_it(
    path: Route, register: Source, ministry: Source, hanoi: Source
) -> None:
    person = truth(88, managing_agency_code="H26.1")
    newer = {**person, "current_unit_start_date": person["current_unit_start_date"] + timedelta(1)}
    path.send(register.change(88, person), ministry.change(1, person), hanoi.change(2, newer))
    record = path.last("civil_servant.golden")[person["citizen_id"]]
    layout = Layout(map(load, ("civil_servant", "organization_unit")))
    kept = layout.kept["civil_servant.golden"]
    columns = path.subjects.golden(kept.dataset).value.dtypes
    read = pl.DataFrame([record], schema=columns, orient="row", strict=False)
    form = Relating(layout, lambda _: lambda _: read)

    stored = dict(form(kept.golden, [(b"frame1", b"value")], lambda keys: [None for _ in keys]))

    entry = stored[ENTRY + b"1"]
    assert entry is not None
    (found,) = unpacked(kept, [entry]).to_dicts()
    # The newest placement counts (policy.yaml): that is the province's.
    assert (found["_source0"], found["_table0"]) == (hanoi.at.source, hanoi.at.table)
    assert (found["_unit"], found["_locality"]) == ("H26", "01")
    assert found["_asked0"] == found["employing_unit_code"] == person["employing_unit_code"]
