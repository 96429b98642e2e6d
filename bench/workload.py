"""The workload: invented personnel records (``sync.demo.person``) as PostgreSQL COPY files, made once for all rounds.

Called by ``bench.end_to_end``. A record has the fields that a complete one must have, 34 columns: texts in Vietnamese,
dates, a number, a boolean, a timestamp. Every twentieth row has texts that need cleaning (NFD, extra spaces): a plain
replication keeps them, the whole path repairs them, and both are compared with what is right.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path

from sync.demo import person, world
from sync.demo.layout import Column, copy_line, layout
from sync.demo.person import Record
from sync.demo.world import World
from sync.schema.dataset import load
from sync.schema.location import schemas_root

KEY = "citizen_id"
STAFF_TABLE, REGISTER_TABLE = "ho_so", "cong_dan"

STAFF = (
    *(KEY, "employee_code", "full_name", "birth_date", "birth_date_precision", "gender", "ethnic_code"),
    *("religion_code", "nationality_code", "permanent_province", "permanent_commune", "managing_agency_code"),
    *("employing_unit_code", "personnel_type", "payroll_quota_type", "first_recruitment_date", "recruiting_agency"),
    *("recruitment_method", "current_unit_start_date", "employment_status", "status_effective_date"),
    *("job_position_code", "job_position_group", "rank_code", "rank_appointed_date", "salary_group", "salary_step"),
    *("salary_coefficient", "step_effective_date", "general_education", "highest_degree", "is_party_member"),
    *("latest_rating", "source_updated_at"),
)
"""Columns of the captured table: what rules VR01 and VR29 of the dataset require."""

REGISTER = (
    *(KEY, "full_name", "birth_date", "birth_date_precision", "gender", "ethnic_code", "religion_code"),
    *("nationality_code", "permanent_province", "permanent_commune", "source_updated_at"),
)
"""Columns of the population register."""

DAMAGED_EVERY = 20
UPDATED = "source_updated_at"

_PIECE = 5_000


@dataclass(frozen=True, slots=True)
class Size:
    """Rows before the measurement (the JVM's compiler and our caches get warm), rows measured, and for latency."""

    rows: int
    warm_up: int
    transaction: int
    rate: int
    seconds: int
    seed: int

    @property
    def latency_rows(self) -> int:
        """Single rows inserted one by one."""
        return self.rate * self.seconds

    @property
    def people(self) -> int:
        """All people."""
        return self.warm_up + self.rows + self.latency_rows


@dataclass(frozen=True)
class Workload:
    """The files of one workload: each file of ``measured`` is one transaction."""

    size: Size
    register: Path
    warm_up: Path
    measured: tuple[Path, ...]
    single: Path
    expected: Path


def columns(dataset: str, names: tuple[str, ...]) -> tuple[Column, ...]:
    """The columns of a table in the canonical layout of ``dataset``."""
    known = layout(load(dataset), "canonical", {})
    return tuple(known.column(name) for name in names)


def table_sql(name: str, found: tuple[Column, ...]) -> str:
    """CREATE TABLE with ``citizen_id`` as the primary key. Names are constants of this module."""
    return f"CREATE TABLE {name} ({', '.join(f'{c.name} {c.sql}' for c in found)}, PRIMARY KEY ({KEY}))"


def damage(record: Record) -> dict[str, str | None]:
    """Texts as a careless program stores them: decomposed Unicode, a space too many. Cleaning repairs both."""
    return {
        "full_name": unicodedata.normalize("NFD", str(record["full_name"]).replace(" ", "  ", 1)),
        "recruiting_agency": unicodedata.normalize("NFD", f" {record['recruiting_agency']}"),
    }


def make(directory: Path, size: Size) -> Workload:
    """Write the files of a workload into ``directory``; the pieces are made on all cores."""
    directory.mkdir(parents=True, exist_ok=True)
    count = -(-size.rows // size.transaction)
    made = Workload(
        size,
        register=directory / "register.copy",
        warm_up=directory / "warm_up.copy",
        measured=tuple(directory / f"measured_{number}.copy" for number in range(count)),
        single=directory / "single.copy",
        expected=directory / "expected.copy",
    )
    today = date.today()
    pieces = [(size.seed, today, piece, min(piece + _PIECE, size.people)) for piece in range(0, size.people, _PIECE)]
    # Not forked: Polars has threads of its own, which a fork would leave locked.
    with ExitStack() as stack, ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        paths = (made.register, made.warm_up, *made.measured, made.single, made.expected)
        files = {path: stack.enter_context(path.open("w", encoding="utf-8", newline="")) for path in paths}
        index = 0
        for lines in pool.map(_piece, pieces):
            for raw, clean, register in lines:
                files[_place(made, index)].write(raw)
                files[made.expected].write(clean)
                files[made.register].write(register)
                index += 1
    return made


def _place(made: Workload, index: int) -> Path:
    """The file that person ``index``'s row stands in."""
    number = index - made.size.warm_up
    if number < 0:
        return made.warm_up
    return made.measured[number // made.size.transaction] if number < made.size.rows else made.single


def _piece(piece: tuple[int, date, int, int]) -> list[tuple[str, str, str]]:
    """Lines of some people: as the source keeps the row, as it must become, and the register's."""
    seed, today, start, end = piece
    there = world.load(schemas_root(), seed=seed, localities=3, today=today)
    staff, register = columns("civil_servant", STAFF), columns("population", REGISTER)
    return [_lines(there, index, staff, register) for index in range(start, end)]


def _lines(there: World, index: int, staff: tuple[Column, ...], register: tuple[Column, ...]) -> tuple[str, str, str]:
    record = person.truth(there, index)
    raw = damage(record) if index % DAMAGED_EVERY == 0 else {}
    return _line(staff, record, raw), _line(staff, record, {}), _line(register, record, {})


def _line(found: tuple[Column, ...], record: Record, raw: Mapping[str, str | None]) -> str:
    return copy_line([raw.get(c.name) or c.text(record.get(c.name)) for c in found])


def singles(made: Workload) -> Iterator[list[str | None]]:
    """The texts of the rows inserted one by one, in column order."""
    with made.single.open(encoding="utf-8", newline="") as file:
        for line in file:
            # The people invented here have no text that COPY would escape.
            yield [None if text == r"\N" else text for text in line.rstrip("\n").split("\t")]
