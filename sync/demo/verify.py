"""Compare what is in the databases with what the oracle says: row by row, in one pass over all people, in order.

Called at the end of the demo, when everything is quiet. The centre, each locality and the verdicts are read by cursors
that PostgreSQL sorts in the order of the people's numbers, and the model is asked for each number in turn: a merge of
sorted streams, so memory does not grow with the rows. A difference is named by dataset, field and number, never by its
value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from sync.demo import script, unit
from sync.demo.database import Dsn, Layouts
from sync.demo.oracle import Golden
from sync.demo.person import Record
from sync.demo.site import CENTRE, RETURN_SCHEMA
from sync.demo.story import RETURN_TABLE, Expected, Stage, Story
from sync.demo.world import World

EXAMPLES = 20
"""Differences described in full; all are counted."""

PAGE = 2000


@dataclass(slots=True)
class Findings:
    """What was found. ``examples`` name place, field and number; ``outcomes``: error class → (rows, as expected).

    ``verdicts``: the model's outcomes of live rows; ``refused``: changes, live or replaced, that had to be rejected.
    """

    rows: int = 0
    centre_differences: int = 0
    locality_differences: int = 0
    verdict_differences: int = 0
    examples: list[str] = field(default_factory=list)
    outcomes: dict[str, tuple[int, int]] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    refused: int = 0

    def differ(self, place: str, what: str) -> None:
        """Count a difference in ``place``: the centre's name, a locality's, or ``verdict``."""
        if place == CENTRE:
            self.centre_differences += 1
        elif place == "verdict":
            self.verdict_differences += 1
        else:
            self.locality_differences += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{place}: {what}")

    def outcome(self, kind: str, right: bool) -> None:
        """Count a damaged row and whether its outcome is the expected one."""
        rows, good = self.outcomes.get(kind, (0, 0))
        self.outcomes[kind] = (rows + 1, good + right)

    @property
    def matched_percent(self) -> float:
        """Valid or rejected rows that match the register, of all live personnel rows, by the model's verdicts."""
        total = sum(self.verdicts.values())
        matched = self.verdicts.get("MATCH", 0) + self.verdicts.get("MATCH_WITH_FIX", 0)
        return round(100 * matched / total, 2) if total else 0.0

    @property
    def good(self) -> bool:
        """Whether nothing differs."""
        return not (self.centre_differences or self.locality_differences or self.verdict_differences)


class Sorted:
    """A stream of (number, row) in rising order of number; ``take`` gives the rows of one number."""

    def __init__(self, rows: Iterable[tuple[int, Any]]) -> None:
        self._rows = iter(rows)
        self._next = next(self._rows, None)

    def take(self, number: int) -> list[Any]:
        """The rows of ``number``; rows of lower numbers that nobody asked for are dropped (see ``below``)."""
        found = []
        while self._next is not None and self._next[0] == number:
            found.append(self._next[1])
            self._next = next(self._rows, None)
        return found

    def below(self, number: int) -> int:
        """Skip and count the rows of numbers below ``number``: nobody expects them."""
        count = 0
        while self._next is not None and self._next[0] < number:
            count += 1
            self._next = next(self._rows, None)
        return count

    def rest(self) -> int:
        """Skip and count all that is left."""
        count = int(self._next is not None) + sum(1 for _ in self._rows)
        self._next = None
        return count


def compare(
    stage: Stage,
    centre: Iterable[tuple[int, Record]],
    localities: Mapping[str, Iterable[tuple[int, Record]]],
    verdicts: Iterable[tuple[int, tuple[str, str, str, str | None]]],
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Findings:
    """Compare sorted streams of people with the model, without a database.

    ``centre`` and ``localities`` (by province): number and record, NULLs left out, with ``_locality``. ``verdicts``:
    number and (source, row, outcome, code).
    """
    findings = Findings()
    central, told = Sorted(centre), Sorted(verdicts)
    local = {province: Sorted(rows) for province, rows in localities.items()}
    for number in stage.numbers():
        story = script.story(stage, number)
        expected = stage.expected(story)
        findings.refused += story.refusals()
        _unexpected(findings, {CENTRE: central, **{f"tinh_{code}": rows for code, rows in local.items()}}, number)
        _record(findings, CENTRE, number, expected.golden, central.take(number))
        for province, rows in local.items():
            owned = expected.golden if expected.golden and expected.golden.locality == province else None
            _record(findings, f"tinh_{province}", number, owned, rows.take(number))
        told.below(number)
        _verdicts(findings, story, expected, told.take(number))
        if number % PAGE == 0:
            progress(number)
    for place, rows in {CENTRE: central, **{f"tinh_{code}": rows for code, rows in local.items()}}.items():
        for _ in range(rows.rest()):
            findings.differ(place, "a row that the model does not have")
    return findings


def _unexpected(findings: Findings, streams: Mapping[str, Sorted], number: int) -> None:
    for place, rows in streams.items():
        for _ in range(rows.below(number)):
            findings.differ(place, "a row that the model does not have")


def _record(findings: Findings, place: str, number: int, expected: Golden | None, found: list[Record]) -> None:
    findings.rows += len(found)
    if expected is None:
        for _ in found:
            findings.differ(place, f"person {number} should not be there")
        return
    if not found:
        findings.differ(place, f"person {number} is missing")
        return
    wanted = dict(expected.record)
    if expected.locality is not None:
        wanted["_locality"] = expected.locality
    if wanted != found[0]:
        names = sorted(name for name in wanted.keys() | found[0].keys() if wanted.get(name) != found[0].get(name))
        findings.differ(place, f"person {number} differs in {', '.join(names)}")


def _verdicts(
    findings: Findings, story: Story, expected: Expected, found: list[tuple[str, str, str, str | None]]
) -> None:
    """A row that simply matches needs no verdict; any other must have the one that the model gives."""
    actual = {(source, row): (outcome, code) for source, row, outcome, code in found}
    _, final = story.final()
    for row in final:
        outcome, codes = expected.verdicts[row.identity]
        findings.verdicts[outcome] = findings.verdicts.get(outcome, 0) + 1
        said, code = actual.get(row.identity, ("MATCH", None))
        right = said == outcome and (outcome in ("MATCH", "MATCH_WITH_FIX") or code in codes)
        if row.error:
            findings.outcome(row.error, right)
        if not right:
            about = f"person {story.index}, {row.site.name}, {row.error or 'sound row'}"
            findings.differ("verdict", f"{about}: {outcome} expected, {said} {code or ''}".rstrip())


def databases(
    dsn: Dsn, stage: Stage, found: Layouts, root: Path, progress: Callable[[int], None] = lambda _: None
) -> Findings:
    """Compare the real databases: people, organisation units and administrative units."""
    dataset = found.datasets["civil_servant"]
    names = [item.name for item in dataset.fields]
    with ExitStack() as stack:
        central = stack.enter_context(psycopg.connect(dsn(CENTRE)))
        local = {
            site.locality: stack.enter_context(psycopg.connect(dsn(site.name))) for site in stage.sites if site.locality
        }
        findings = compare(
            stage,
            people(central, stage.world, names),
            {province: people(connection, stage.world, names) for province, connection in local.items()},
            verdict_rows(central, stage.world),
            progress=progress,
        )
        _alien(findings, CENTRE, central)
        for province, connection in local.items():
            _alien(findings, f"tinh_{province}", connection)
        _units(findings, stage, found, central, local)
        _administrative(findings, found, root, central, local)
    return findings


Connection = psycopg.Connection[tuple[Any, ...]]


def _stream(connection: Connection, name: str, query: sql.Composed) -> Iterator[tuple[Any, ...]]:
    # A named cursor stays on the server: PAGE rows at a time come here.
    with connection.cursor(name, row_factory=tuple_row) as cursor:
        cursor.itersize = PAGE
        cursor.execute(query)
        yield from cursor


def people(connection: Connection, world: World, names: list[str]) -> Iterator[tuple[int, Record]]:
    """All golden records of people with a well-formed ID in a database, in the order of their numbers."""
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in (*names, "_locality"))
    query = sql.SQL("SELECT {order}, {columns} FROM {table} WHERE citizen_id ~ '^[0-9]{{12}}$' ORDER BY 1").format(
        order=sql.SQL(world.order_sql("citizen_id")),
        columns=columns,
        table=sql.Identifier(RETURN_SCHEMA, "civil_servant"),
    )
    keys = (*names, "_locality")
    for number, *values in _stream(connection, "people", query):
        yield number, {key: value for key, value in zip(keys, values, strict=True) if value is not None}


def verdict_rows(connection: Connection, world: World) -> Iterator[tuple[int, tuple[str, str, str, str | None]]]:
    """All verdicts on personnel rows, in the order of the people's numbers."""
    query = sql.SQL(
        "SELECT CASE WHEN row LIKE {returned} THEN {order} ELSE split_part(row, '/', 2)::bigint - 1 END, "
        "source, row, outcome, code FROM {table} ORDER BY 1"
    ).format(
        returned=sql.Literal(f"{RETURN_TABLE}/%"),
        order=sql.SQL(world.order_sql("row")),
        table=sql.Identifier(RETURN_SCHEMA, "civil_servant_verdict"),
    )
    for number, source, row, outcome, code in _stream(connection, "verdicts", query):
        yield number, (source, row, outcome, code)


def _alien(findings: Findings, place: str, connection: Connection) -> None:
    query = sql.SQL("SELECT count(*) FROM {} WHERE citizen_id !~ '^[0-9]{{12}}$'").format(
        sql.Identifier(RETURN_SCHEMA, "civil_servant")
    )
    row = connection.execute(query).fetchone()
    for _ in range(row[0] if row else 0):
        findings.differ(place, "a record with an ID that is none")


def _units(
    findings: Findings, stage: Stage, found: Layouts, central: Connection, local: Mapping[str, Connection]
) -> None:
    """Organisation units: all in the centre, each province its own. Some hundreds: read whole."""
    dataset = found.datasets[unit.ORGANIZATION]
    expected = {code: unit.expected(stage, code, dataset.policy) for code in unit.codes(stage.world)}
    names = [item.name for item in dataset.fields]
    for place, province, connection in _places(central, local):
        wanted = {
            code: _located(golden)
            for code, golden in expected.items()
            if province is None or golden.locality == province
        }
        _whole(
            findings, place, unit.ORGANIZATION, wanted, _table(connection, unit.ORGANIZATION, names, ("agency_code",))
        )


def _located(golden: Golden) -> Record:
    return {**golden.record, **({"_locality": golden.locality} if golden.locality else {})}


def _administrative(
    findings: Findings, found: Layouts, root: Path, central: Connection, local: Mapping[str, Connection]
) -> None:
    """Administrative units: the whole list everywhere."""
    dataset = found.datasets[unit.ADMINISTRATIVE]
    types = {item.name: str(item.type) for item in dataset.fields}
    wanted = {(item["unit_code"], item["vintage"]): item for item in unit.administrative(root, types)}
    for place, _, connection in _places(central, local):
        rows = _table(connection, unit.ADMINISTRATIVE, list(types), ("unit_code", "vintage"))
        _whole(findings, place, unit.ADMINISTRATIVE, wanted, rows)


def _places(central: Connection, local: Mapping[str, Connection]) -> list[tuple[str, str | None, Connection]]:
    return [(CENTRE, None, central), *((f"tinh_{code}", code, connection) for code, connection in local.items())]


def _table(connection: Connection, table: str, names: list[str], key: tuple[str, ...]) -> dict[Any, Record]:
    wanted = (*names, "_locality")
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(map(sql.Identifier, wanted)), sql.Identifier(RETURN_SCHEMA, table)
    )
    rows = {}
    for values in connection.execute(query):
        record = {name: value for name, value in zip(wanted, values, strict=True) if value is not None}
        rows[record[key[0]] if len(key) == 1 else tuple(record[name] for name in key)] = record
    return rows


def _whole(
    findings: Findings, place: str, table: str, wanted: Mapping[Any, Record], actual: Mapping[Any, Record]
) -> None:
    findings.rows += len(actual)
    for key, record in wanted.items():
        other = actual.get(key)
        if other is None:
            findings.differ(place, f"{table} {key} is missing")
        elif other != record:
            names = sorted(name for name in record.keys() | other.keys() if record.get(name) != other.get(name))
            findings.differ(place, f"{table} {key} differs in {', '.join(names)}")
    for key in actual.keys() - wanted.keys():
        findings.differ(place, f"{table} {key} should not be there")
