"""Weights of the quality score: ``scores.yaml`` of a dataset."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sync.errors import ConfigError
from sync.rule.score import measure, score
from sync.schema.dataset import load
from sync.schema.location import ENVIRONMENT, schemas_root


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the weights of a dataset are written."""
    copy = tmp_path / "schemas"
    shutil.copytree(schemas_root(), copy)
    monkeypatch.setenv(ENVIRONMENT, str(copy))
    return copy / "civil_servant/scores.yaml"


def test_without_a_file_everything_weighs_the_same(file: Path) -> None:
    assert not file.exists()
    assert load("civil_servant").weights == {}


def test_the_datasets_weights_count_in_its_score(file: Path) -> None:
    file.write_text("criteria: {accuracy: 3}\nrules: {VR32: 2, VR10: 0}\n", encoding="utf-8")
    dataset = load("civil_servant")
    by = measure(dataset.rules, dataset.key, matched=True, weights=dataset.weights)
    plain = measure(dataset.rules, dataset.key, matched=True)
    found = {"VR32": 50, "VR10@1": 100}

    made, even = score(100, found, by), score(100, found, plain)

    accurate = sum(of == "accuracy" for of in by.criteria.values())
    assert made.criteria["accuracy"] == pytest.approx((50 * 2 + 100 * (accurate - 1)) / (accurate + 1))
    assert made.criteria["validity"] == 100.0
    assert (even.criteria["validity"] or 0) < 100.0
    others = [value for name, value in made.criteria.items() if name != "accuracy" and value is not None]
    expected = (3 * (made.criteria["accuracy"] or 0) + sum(others)) / (3 + len(others))
    assert made.total == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("criteria: {beauty: 2}", "criteria.beauty", "none of the dataset's criteria"),
        ("rules: {VR99: 2}", "rules.VR99", "none of the dataset's rules"),
        ("rules: {VR01: -1}", "rules.VR01", "is no weight"),
        ("rules: {VR01: .inf}", "rules.VR01", "is no weight"),
        ("rules: {VR01: true}", "rules.VR01", "is no weight"),
        ("weights: {VR01: 1}", "", "unknown key weights"),
        ("rules: {VR01: 1, VR01: 2}", "line 1", "given twice"),
    ],
)
def test_a_mistake_is_told_with_file_place_and_remedy(file: Path, text: str, place: str, problem: str) -> None:
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load("civil_servant")

    assert str(caught.value).startswith("civil_servant/scores.yaml: line 1")
    assert place in str(caught.value)
    assert problem in str(caught.value)
    assert caught.value.hint
