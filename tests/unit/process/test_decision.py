"""What holds after decisions: by case and facts, and of numbers that were said to be one person's."""

from __future__ import annotations

import pytest

from sync.errors import Unreadable
from sync.process.decision import Book, Case, Decision, read, successor
from sync.process.person import homes

ROW = Case("civil_servant", "reconcile", "bo", "public.t/1")


def pair(one: str, other: str) -> Case:
    return Case("civil_servant", "alias", "dongbo.aliases", "|".join(sorted((one, other))))


def decision(
    id: str,
    case: Case,
    action: str,
    facts: str = "",
    *,
    undoes: str | None = None,
    entity: str = "",
    **changes: str,
) -> Decision:
    return Decision(id, case, "t", 0, b"", entity, facts, action, changes, undoes)


def merge(id: str, wrong: str, right: str) -> Decision:
    return decision(id, pair(wrong, right), "merge", citizen_id=right)


def test_the_last_decision_on_the_same_facts_holds_until_it_is_undone() -> None:
    book = Book()
    book.add(
        [
            decision("1", ROW, "accept", "f"),
            decision("2", ROW, "reject", "g"),
            decision("3", ROW, "reject", "f"),
            decision("4", ROW, "undo", "f", undoes="3"),
        ]
    )
    held = {facts: book.standing(ROW, facts) for facts in ("f", "g", "h")}
    assert {facts: one and one.id for facts, one in held.items()} == {"f": "1", "g": "2", "h": None}
    assert book.standing(ROW._replace(row="public.t/2"), "f") is None


def test_a_merge_tells_the_right_number_of_the_wrong_one_until_it_is_undone() -> None:
    book = Book()
    book.add([merge("1", "B", "A"), decision("2", pair("C", "D"), "accept")])
    assert book.merges("civil_servant") == {"B": "A"}
    assert book.merges("worker") == {}
    book.add([decision("3", pair("B", "A"), "undo", undoes="1")])
    assert book.merges("civil_servant") == {}


@pytest.mark.parametrize(
    ("merges", "expected"),
    [
        ({"B": "A"}, {"A": None, "B": "A", "C": None}),
        ({"C": "B", "B": "A"}, {"A": None, "B": "A", "C": "A"}),
        # They lead round: nobody is merged into itself, nor what leads into the round.
        ({"A": "B", "B": "A", "C": "A"}, {"A": None, "B": None, "C": None}),
    ],
)
def test_merges_lead_to_the_last_number_and_never_round(
    merges: dict[str, str], expected: dict[str, str | None]
) -> None:
    assert {number: successor(merges, number) for number in expected} == expected


def test_a_merge_concerns_all_whose_rows_lead_through_its_numbers() -> None:
    book = Book()
    chosen = decision("1", ROW, "choose", "f", entity="X", citizen_id="B")
    elsewhere = decision("2", ROW._replace(row="public.t/2"), "choose", "f", entity="Y", citizen_id="Z")
    last = merge("5", "B", "A")
    book.add([chosen, elsewhere, merge("3", "C", "B"), merge("4", "Q", "R"), last])
    assert homes(last, book) == {"A", "B", "C", "X"}


@pytest.mark.parametrize(
    ("row", "changes"), [("A|B", "{}"), ("A|B", '{"citizen_id": "C"}'), ("A", '{"citizen_id": "A"}'), ("A|B", None)]
)
def test_a_merge_that_names_no_right_number_is_no_decision(row: str, changes: str | None) -> None:
    about = {**pair("A", "B")._asdict(), "row": row, "topic": "t", "partition": 0, "key": None, "entity": "A"}
    with pytest.raises(Unreadable):
        read({**about, "id": "1", "facts": "", "action": "merge", "changes": changes, "undoes": None})
