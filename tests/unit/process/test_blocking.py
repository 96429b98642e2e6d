"""The index of candidates: what is stored for a person or a case, and what a change or an end of it takes out again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from sync.process.blocking import BLOCK, ENTRY, MARK, Blocking, block_of, blocks_of, unpacked
from sync.process.entity import entity_key
from sync.rule.linkage import FIELDS

PEOPLE, CASES = "population.golden", "civil_servant.review"
HOA = {
    "full_name": "Nguyễn Thị Hòa",
    "birth_date": "1980-03-12",
    "gender": "2",
    "native_place_province": "01",
    "old_id_card_no": None,
}


class Stored:
    """A form over a dict; values are JSON instead of Avro."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.held: dict[bytes, bytes] = {}
        self.form = Blocking(self._read)

    def _read(self, values: Sequence[bytes]) -> pl.DataFrame:
        rows = [json.loads(value) for value in values]
        names = ("record", "facts") if self.topic == CASES else FIELDS
        return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")

    def take(self, key: bytes, value: dict[str, Any] | None) -> int:
        """Take a record in; how many keys changed."""
        text = None if value is None else json.dumps(value).encode()
        stored = self.form(self.topic, [(key, text)], lambda keys: [self.held.get(one) for one in keys])
        for name, entry in stored:
            if entry is None:
                self.held.pop(name, None)
            else:
                self.held[name] = entry
        return len(stored)

    def blocks(self) -> set[bytes]:
        return {block_of(key)[0] for key in self.held if key.startswith(BLOCK)}


def person(number: str) -> bytes:
    return b"\0\0\0\0\1" + entity_key([number])


def case(record: dict[str, Any] | None, facts: str = "f") -> dict[str, Any]:
    return {"record": None if record is None else json.dumps(record), "facts": facts}


def test_a_person_is_found_by_each_block_and_read_back_as_given() -> None:
    people = Stored(PEOPLE)
    people.take(person("001080000001"), HOA)
    entry = people.held[ENTRY + b"001080000001"]
    assert unpacked([entry]).to_dicts() == [HOA]
    assert people.blocks() == set(blocks_of([entry])[0])
    assert people.blocks() == {b"b01980-03-12|hoa", b"b1nguyen thi hoa|01", b"b3nguyen thi hoa|1980"}


def test_a_corrected_person_leaves_no_block_behind_and_a_deleted_one_nothing() -> None:
    people = Stored(PEOPLE)
    people.take(person("001080000001"), HOA)
    people.take(person("001080000001"), {**HOA, "full_name": "Nguyễn Thị Hoa Mai"})
    assert people.blocks() == {b"b01980-03-12|mai", b"b1nguyen thi hoa mai|01", b"b3nguyen thi hoa mai|1980"}
    people.take(person("001080000001"), None)
    assert people.held == {}


def test_a_person_whose_compared_fields_stayed_changes_nothing() -> None:
    people = Stored(PEOPLE)
    people.take(person("001080000001"), HOA)
    assert people.take(person("001080000001"), HOA) == 0


def test_a_case_marks_its_blocks_keeps_its_facts_and_one_without_a_record_is_not_looked_for() -> None:
    cases = Stored(CASES)
    cases.take(b"row 1", case(HOA, "8c"))
    assert {key[1:] for key in cases.held if key.startswith(MARK)} == cases.blocks()
    assert unpacked([cases.held[ENTRY + b"row 1"]], (*FIELDS, "facts"))["facts"].to_list() == ["8c"]
    cases.take(b"row 2", case(None))
    assert ENTRY + b"row 2" not in cases.held
    cases.take(b"row 1", None)
    assert cases.blocks() == set()


def test_a_year_of_birth_shares_a_block_with_the_whole_date() -> None:
    both = pl.DataFrame([HOA, {**HOA, "birth_date": "1980", "native_place_province": None}])
    packed = ["\x1f".join(value or "" for value in row).encode() for row in both.select(FIELDS).iter_rows()]
    whole, year = blocks_of(packed)
    assert set(whole) & set(year) == {b"b3nguyen thi hoa|1980"}
