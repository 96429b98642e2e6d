"""A row whose newer version is refused while the reconcile step is still at an older one: whose word stands."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import pytest

from tests.integration.route import Source, truth
from tests.integration.test_moves import PEOPLE, Apart, Record, matching, repaired, settled, waiting

pytestmark = pytest.mark.integration

VERDICTS = ("civil_servant.verdict", "civil_servant.verdict.01")
REVIEW = "civil_servant.review"


def refused(index: int) -> Record:
    """Which breaks a rule."""
    return {**matching(index), "email": "một@hai"}


def asked(index: int) -> Record:
    """Of which a person is asked before it is taken."""
    return {**matching(index), "full_name": f"{matching(index)['full_name']}, 0912345678"}


TAKEN, NOT_TAKEN = (matching, repaired, waiting), (refused, asked)


@cache
def alone(kafka: str, registry_url: str, version: tuple[Any, int] | None) -> dict[str, dict[str, tuple[Any, ...]]]:
    """What is said of a row that has no other version."""
    return settled(kafka, registry_url, None if version is None else version[0](version[1]))


def expected(kafka: str, registry_url: str, made: list[tuple[Any, int] | None]) -> dict[str, Any]:
    """What is told after these versions of a row: of the last one, and the case of the one that contributes."""
    told = dict(alone(kafka, registry_url, made[-1]))
    if made[-1] is None or made[-1][0] is not refused:
        return told
    standing = None
    for version in made:
        standing = None if version is None else standing if version[0] in NOT_TAKEN else version
    if standing is not None:
        told[REVIEW] = alone(kafka, registry_url, standing)[REVIEW]
    return told


@pytest.mark.parametrize("before", TAKEN)
@pytest.mark.parametrize("after", NOT_TAKEN)
def test_an_older_version_that_is_reconciled_later_takes_nothing_back_of_the_refusal(
    kafka: str, registry_url: str, before: Any, after: Any
) -> None:
    for versions in ([before, after], [before, None, after]):
        path = Apart(kafka, registry_url)
        # The validate step is through with all of it before the reconcile step reads the first.
        path.arrive(*(None if form is None else form(81) for form in versions))
        path.drain(range(len(path.held)), whole=False)
        made = [None if form is None else (form, 81) for form in versions]
        assert path.told() == expected(kafka, registry_url, made)
        assert path.balanced("hn.public.t")


def test_a_refusal_stands_although_the_register_changes_what_is_said_of_the_older_version(
    kafka: str, registry_url: str
) -> None:
    path = Apart(kafka, registry_url)
    path.arrive(waiting(81), refused(81))
    path.mix(Random(0))
    verdicts = {topic: path.told()[topic] for topic in VERDICTS}
    assert [told[0] for told in verdicts[VERDICTS[0]].values()] == ["EMAIL"]
    assert path.last(REVIEW)
    register = Source(path, "npdb", path.population, "register")
    path.send(register.change(81, {**truth(81), "full_name": waiting(81)["full_name"]}))
    assert {topic: path.told()[topic] for topic in VERDICTS} == verdicts
    assert path.last(REVIEW) == {}
    assert path.balanced("hn.public.t")


def test_a_version_that_is_taken_ends_a_refusal_and_so_does_a_delete(kafka: str, registry_url: str) -> None:
    path = Apart(kafka, registry_url)
    path.arrive(repaired(81), asked(81))
    path.mix(Random(0))
    assert path.told() == alone(kafka, registry_url, (asked, 81))
    path.arrive(matching(81))
    path.mix(Random(0))
    assert path.told() == alone(kafka, registry_url, (matching, 81))
    path.arrive(asked(81), None)
    path.mix(Random(0))
    assert path.told() == alone(kafka, registry_url, None)


@pytest.mark.parametrize("seed", range(4))
def test_the_newest_version_has_the_word_through_moves_refusals_and_deletes(
    kafka: str, registry_url: str, seed: int
) -> None:
    random = Random(seed)
    for _ in range(2):
        forms = (*TAKEN, *NOT_TAKEN, *NOT_TAKEN, None)
        drawn = [(random.choice(forms), random.choice(PEOPLE)) for _ in range(random.randint(3, 6))]
        made = [None if form is None else (form, index) for form, index in drawn]
        path = Apart(kafka, registry_url)
        for version in made:
            path.arrive(None if version is None else version[0](version[1]))
            if random.random() < 0.3:
                path.mix(random)
        path.mix(random)
        assert path.told() == expected(kafka, registry_url, made), made
        assert path.balanced("hn.public.t")
