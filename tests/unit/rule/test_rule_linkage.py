"""Fellegi–Sunter scores: as a plain function by pair says, symmetric, monotone; weights learnt again from their own
pairs.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import JaroWinkler

from sync.errors import ConfigError
from sync.rule import linkage
from sync.rule.index import name_key
from sync.rule.linkage import CLOSE, FIELDS, LEVELS
from sync.schema.linkage import weights
from sync.schema.location import schemas_root

WEIGHTS = weights(schemas_root(), "population")

names = st.sampled_from(
    ["Nguyễn Thị Hòa", "Nguyễn Thị Hoà", "NGUYỄN THỊ HÓA", "Nguyen Thi Hoa", "Nguyễn Thị Hoan", "Đỗ Y", "Vi A"]
)
dates = st.sampled_from(["1980-03-12", "1980-12-03", "1980-03", "1980", "1981-03-12", "1980-03-11"])
records = st.fixed_dictionaries(
    {
        "full_name": st.none() | names,
        "birth_date": st.none() | dates,
        "gender": st.sampled_from([None, "1", "2"]),
        "native_place_province": st.sampled_from([None, "01", "79"]),
        "old_id_card_no": st.sampled_from([None, "123456789", "987654321"]),
    }
)
complete = st.fixed_dictionaries(
    {
        "full_name": names,
        "birth_date": dates,
        "gender": st.sampled_from(["1", "2"]),
        "native_place_province": st.sampled_from(["01", "79"]),
        "old_id_card_no": st.just("123456789"),
    }
)
Record = dict[str, str | None]
batches = st.lists(st.tuples(records, records), min_size=1, max_size=20)


def frame(rows: list[Record]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(FIELDS, pl.String))


def plain(text: str) -> str:
    flat = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
    return " ".join(flat.replace("đ", "d").split())


def level(field: str, left: str | None, right: str | None) -> str:
    """One pair, written plainly."""
    if left is None or right is None:
        return "missing"
    if field == "full_name":
        if name_key(left) == name_key(right):
            return "equal"
        if plain(left) == plain(right):
            return "without_diacritics"
        return "close" if JaroWinkler.similarity(plain(left), plain(right)) >= CLOSE else "differs"
    if left == right:
        return "equal"
    if field != "birth_date":
        return "differs"
    if left.startswith(right) or right.startswith(left):
        return "partial"
    if len(left) == len(right) == 10 and left[:4] == right[:4] and left[5:7] == right[8:] and left[8:] == right[5:7]:
        return "transposed"
    return "same_year" if left[:4] == right[:4] else "differs"


@settings(deadline=None)
@given(batches)
def test_columns_say_what_a_look_at_each_pair_says(pairs: list[tuple[Record, Record]]) -> None:
    found = linkage.levels(frame([a for a, _ in pairs]), frame([b for _, b in pairs]))
    for row, (left, right) in enumerate(pairs):
        assert linkage.named(found, row) == {field: level(field, left[field], right[field]) for field in FIELDS}


@settings(deadline=None)
@given(batches)
def test_a_score_is_the_same_both_ways(pairs: list[tuple[Record, Record]]) -> None:
    left, right = frame([a for a, _ in pairs]), frame([b for _, b in pairs])
    there, back = (linkage.scores(linkage.levels(a, b), WEIGHTS) for a, b in ((left, right), (right, left)))
    assert np.allclose(there, back)


@settings(deadline=None)
@given(complete, st.sampled_from(FIELDS))
def test_a_field_that_is_equal_never_scores_less_than_one_that_differs(record: Record, field: str) -> None:
    other = {**record, field: {"full_name": "Lê Văn Xuân", "birth_date": "1955-05-05"}.get(field, "?")}
    found = linkage.levels(frame([record, record]), frame([record, other]))
    same, different = linkage.scores(found, WEIGHTS)
    assert same > different


def test_better_levels_weigh_more() -> None:
    for field in FIELDS:
        bits = WEIGHTS.bits(field)[:-1]
        assert bits[0] > 0 > bits[-1]


def test_a_pair_without_any_value_weighs_nothing() -> None:
    nothing: Record = dict.fromkeys(FIELDS)
    assert linkage.scores(linkage.levels(frame([nothing]), frame([nothing])), WEIGHTS)[0] == 0


def test_people_of_one_birthday_and_given_name_share_a_block_and_nulls_share_none() -> None:
    left: Record = {**dict.fromkeys(FIELDS), "full_name": "Trần Văn Hòa", "birth_date": "1980-03-12"}
    right: Record = {**left, "full_name": "Tran Hoà"}
    one, two = (linkage.blocks(frame([record])).row(0, named=True) for record in (left, right))
    assert one["b0"] == two["b0"]
    assert one["b1"] is one["b2"] is None


def test_learning_finds_the_weights_that_the_pairs_were_drawn_with() -> None:
    rng, size, share = np.random.default_rng(1), 40_000, 0.3
    true = rng.random(size) < share
    found = {}
    for field in FIELDS:
        kinds = len(LEVELS[field])
        drawn = [rng.choice(kinds, size, p=WEIGHTS.m[field]), rng.choice(kinds, size, p=WEIGHTS.u[field])]
        found[field] = np.where(true, *drawn).astype(np.uint8)
    start = linkage.Weights({field: _even(field) for field in FIELDS}, WEIGHTS.u, 0, 0)
    learnt = linkage.trained([found], start)
    for field in FIELDS:
        assert np.allclose(learnt.m[field], WEIGHTS.m[field], atol=0.02)


def _even(field: str) -> tuple[float, ...]:
    kinds = len(LEVELS[field])
    return (0.6, *[0.4 / (kinds - 1)] * (kinds - 1))


def test_numbers_are_masked() -> None:
    assert linkage.masked("001080123456") == "001******456"
    assert linkage.masked("12345") == "*****"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("least: 6", "least: many", "least: is no number"),
        ("differs: {m: 0.01, u: 0.5}", "differs: {m: 0.05, u: 0.5}", "fields.gender: the m of gender add up to 1.04"),
        ("transposed:", "swapped:", "fields.birth_date: unknown key swapped"),
        ("m: 0.85, u: 0.035", "m: 0, u: 0.035", "fields.native_place_province.equal.m: is no share"),
    ],
)
def test_a_mistake_in_the_weights_names_file_place_and_remedy(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = (schemas_root() / "population" / "match.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "population").mkdir()
    (tmp_path / "population" / "match.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        weights(tmp_path, "population")
    assert re.search(rf"population/match\.yaml: line \d+, column \d+: {re.escape(told)}", str(caught.value))
    assert caught.value.hint
