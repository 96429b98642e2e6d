"""The benchmark's records: complete, in their files, damaged where they must be."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from bench import workload
from bench.workload import DAMAGED_EVERY, REGISTER, STAFF, Size

SIZE = Size(rows=70, warm_up=30, transaction=40, rate=5, seconds=2, seed=1)


def lines(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def test_people_go_into_their_files_in_order(tmp_path: Path) -> None:
    made = workload.make(tmp_path, SIZE)
    assert [len(lines(path)) for path in (made.warm_up, *made.measured, made.single)] == [30, 40, 30, 10]
    assert len(list(workload.singles(made))) == SIZE.latency_rows
    raw = [line for path in (made.warm_up, *made.measured, made.single) for line in lines(path)]
    clean, register = lines(made.expected), lines(made.register)
    assert len(raw) == len(clean) == len(register) == SIZE.people
    assert [line[0] for line in raw] == [line[0] for line in clean] == [line[0] for line in register]
    assert len({line[0] for line in raw}) == SIZE.people
    assert {len(line) for line in raw} == {len(STAFF)}
    assert {len(line) for line in register} == {len(REGISTER)}
    name = STAFF.index("full_name")
    for index, (dirty, sound) in enumerate(zip(raw, clean, strict=True)):
        repaired = " ".join(unicodedata.normalize("NFC", dirty[name]).split())
        assert repaired == sound[name]
        assert (dirty != sound) == (index % DAMAGED_EVERY == 0)
    # A field that is missing would make a warning of every record.
    assert not any(text == r"\N" for line in clean for text in line)


def test_both_tables_have_the_same_key() -> None:
    sql = workload.table_sql("ho_so", workload.columns("civil_servant", STAFF))
    assert sql.startswith("CREATE TABLE ho_so (citizen_id text, ")
    assert sql.endswith("source_updated_at timestamptz, PRIMARY KEY (citizen_id))")
    assert "salary_coefficient numeric(4,2)" in sql
    assert "is_party_member boolean" in sql
