"""Rows of ``bench.capture``: personnel records as COPY files, a wide table (109 columns) and a narrow one (6).

The wide one has all fields of a civil servant's record: 74 texts, 19 dates, 14 numbers, a boolean, a timestamp, about
930 bytes, a third of them null. The people are invented (``sync.demo.person``).
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path

from sync.demo import person, world
from sync.demo.layout import Column, copy_line, layout
from sync.schema.dataset import load
from sync.schema.location import schemas_root

KEY = "citizen_id"
DATASET = "civil_servant"
NARROW = (KEY, "full_name", "birth_date", "gender", "permanent_province", "source_updated_at")

_PIECE = 5_000


@dataclass(frozen=True, slots=True)
class Shape:
    """A table's name, its columns, and how many rows are warm-up, measured, and in a transaction."""

    name: str
    warm_up: int
    rows: int
    transaction: int

    @property
    def columns(self) -> tuple[Column, ...]:
        """In the table's order."""
        known = layout(load(DATASET), "canonical", {})
        return known.columns if self.name == "wide" else tuple(known.column(name) for name in NARROW)

    @property
    def table(self) -> str:
        """CREATE TABLE."""
        columns = ", ".join(f"{column.name} {column.sql}" for column in self.columns)
        return f"create table {self.name} ({columns}, primary key ({KEY}))"


@dataclass(frozen=True, slots=True)
class Rows:
    """COPY files: ``measured`` each a transaction, ``single`` for rows inserted one by one."""

    shape: Shape
    warm_up: Path
    measured: tuple[Path, ...]
    single: Path


def make(directory: Path, shape: Shape, singles: int, seed: int) -> Rows:
    """Write the files into ``directory``, on all cores."""
    directory.mkdir(parents=True, exist_ok=True)
    sizes = [shape.warm_up]
    sizes += [min(shape.transaction, shape.rows - start) for start in range(0, shape.rows, shape.transaction)]
    sizes.append(singles)
    paths = [directory / f"{shape.name}_{number}.copy" for number in range(len(sizes))]
    today, total = date.today(), sum(sizes)
    pieces = [(shape, seed, today, start, min(start + _PIECE, total)) for start in range(0, total, _PIECE)]
    # Not forked: Polars has threads of its own, which a fork would leave locked.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        lines = (line for piece in pool.map(_piece, pieces) for line in piece)
        for path, size in zip(paths, sizes, strict=True):
            with path.open("w", encoding="utf-8", newline="") as file:
                for _ in range(size):
                    file.write(next(lines))
    return Rows(shape, paths[0], tuple(paths[1:-1]), paths[-1])


def _piece(piece: tuple[Shape, int, date, int, int]) -> list[str]:
    shape, seed, today, start, end = piece
    there = world.load(schemas_root(), seed=seed, localities=3, today=today)
    columns = shape.columns
    lines = []
    for index in range(start, end):
        record = person.truth(there, index)
        lines.append(copy_line([column.text(record.get(column.name)) for column in columns]))
    return lines
