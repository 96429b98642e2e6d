"""Cleaning on the labelled corpus: every class becomes what it must, and no sound value is touched.

``make test-corpus`` runs more seeds and mixtures (``DONGBO_TEST_CORPUS=<number of seeds>``).
"""

from __future__ import annotations

import os

import pytest

from sync.schema.dataset import Dataset
from tests.corpus.build import SOUND, Corpus, build
from tests.corpus.case import CLASSES
from tests.corpus.score import Score, score
from tests.unit.rule.conftest import Clean

SEEDS = int(os.environ.get("DONGBO_TEST_CORPUS", "0"))
ROWS = 20_000
MIXTURES = {
    "even": (0.8, {}),
    "mostly sound": (0.1, {}),
    "texts": (0.6, {"tcvn3": 30, "vni": 30, "cp1258": 30, "misread_utf8": 30, "decomposed": 30, "tone_misplaced": 30}),
    "places": (0.6, {"old_commune": 40, "split_commune": 40, "numeric_ward": 40, "old_commune_by_name": 40}),
}


def scored(cleaned: Clean, corpus: Corpus) -> Score:
    """The score of a corpus, printed."""
    found = score(corpus, cleaned(corpus.given))
    print(found.table())
    return found


def assert_promises(found: Score) -> None:
    """No value is damaged, every class is recognised, and nothing is told of a record that has not deserved it."""
    faults = [f"{name}: {fault}" for name, all_of in found.wrong.items() for fault in all_of[:3]]
    assert found.damaged == {}
    assert faults == []
    assert all(found.precision(name) == 1 for name in found.rows)


@pytest.fixture(scope="module")
def corpus(dataset: Dataset) -> Corpus:
    return build(dataset, rows=ROWS, seed=20_260_701, damaged=0.8)


def test_every_error_class_becomes_what_it_must_and_no_sound_value_is_damaged(cleaned: Clean, corpus: Corpus) -> None:
    found = scored(cleaned, corpus)
    assert set(found.rows) == {SOUND, *CLASSES}
    assert_promises(found)


@pytest.mark.skipif(SEEDS == 0, reason="make test-corpus")
@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_other_seeds_and_mixtures_keep_the_promises(cleaned: Clean, dataset: Dataset, seed: int, mixture: str) -> None:
    damaged, weights = MIXTURES[mixture]
    assert_promises(scored(cleaned, build(dataset, rows=ROWS, seed=seed, damaged=damaged, weights=weights)))
