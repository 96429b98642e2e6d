"""A plan: which units' records move where, made from the golden records as they are, and kept as a file with a hash.

The file is canonical JSON: the same content is the same bytes. It names units and counts; records stand in it as
digests with a salt of the plan's own, by which ``apply`` and ``status`` find them again. Digests of keys can be guessed
by whoever has the file, so it is written for its owner alone (mode 0600) and is no part of the report.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

from sync.errors import ConfigError
from sync.process.transfer import Move
from sync.rule.succession import Succession

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Row:
    """The records that hold ``move.old`` in ``move.field`` and are to hold ``move.new``; they are told as digests."""

    move: Move
    records: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """``origin``: what tells of the mergers. ``as_of``: the offsets up to which the golden topic was read.

    ``effective_date``: the last day on which one of the successions takes effect.
    """

    dataset: str
    made_at: str
    origin: str
    effective_date: str
    as_of: Mapping[str, int]
    salt: str
    rows: tuple[Row, ...]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical content, as hex."""
        return sha256(canonical(self._content())).hexdigest()

    @property
    def id(self) -> str:
        """The plan's name in topics and commands: the beginning of its hash."""
        return self.hash[:16]

    @property
    def sequence(self) -> str:
        """Where the plan stands among all plans that name an entity."""
        return f"{self.effective_date} {self.made_at}"

    @cached_property
    def moves(self) -> Mapping[str, tuple[Move, ...]]:
        """What the plan does, by record digest."""
        found: dict[str, list[Move]] = {}
        for row in self.rows:
            for record in row.records:
                found.setdefault(record, []).append(row.move)
        return {record: tuple(moves) for record, moves in found.items()}

    def digest(self, entity: bytes) -> str:
        """How the record with this key datum is told in the plan."""
        return blake2b(entity, digest_size=8, key=bytes.fromhex(self.salt)).hexdigest()

    def _content(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "made_at": self.made_at,
            "origin": self.origin,
            "effective_date": self.effective_date,
            "as_of": dict(self.as_of),
            "salt": self.salt,
            "rows": [{**row.move._asdict(), "count": len(row.records), "records": row.records} for row in self.rows],
        }

    def write(self, path: Path) -> None:
        """Write the file, for its owner alone; ConfigError where there is one already or it can't be written."""
        try:
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise ConfigError(
                f"{path.name} can't be written: {error.strerror}.", hint="name a new file in a folder of yours"
            ) from error
        with os.fdopen(number, "wb") as out:
            out.write(canonical({**self._content(), "hash": self.hash}))


def canonical(content: Any) -> bytes:
    """The one form in which content is hashed, signed and written."""
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def read(path: Path) -> Plan:
    """The plan in a file; ConfigError where it is none or was changed since it was made."""
    hint = "use a file that `dongbo transfer plan` wrote, unchanged"
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path.name} can't be read: {error.strerror}.", hint=hint) from error
    except ValueError as error:
        raise ConfigError(f"{path.name} is no plan.", hint=hint) from error
    try:
        rows = tuple(_row(told) for told in content["rows"])
        names = ("dataset", "made_at", "origin", "effective_date", "as_of", "salt")
        plan = Plan(**{name: content[name] for name in names}, rows=rows)
        whole = content["format"] == FORMAT and content["hash"] == plan.hash
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path.name} is no plan.", hint=hint) from error
    if not whole:
        raise ConfigError(f"{path.name}: the plan's hash is not that of its content.", hint=hint)
    return plan


def _row(told: Mapping[str, Any]) -> Row:
    move = Move(told["field"], told["old"], told["new"], told["waits"], tuple(told["candidates"]))
    return Row(move, tuple(told["records"]))


def moves_of(values: Mapping[str, str | None], linked: Sequence[Sequence[str]], succession: Succession) -> list[Move]:
    """What is to be done to the units that a record holds (field → code).

    The fields of one item of ``linked`` move together: where a person has to choose for one, all of them wait.
    """
    moves = []
    for fields in linked:
        found = [
            (name, code, successor)
            for name in fields
            if (code := values.get(name)) is not None and (successor := succession.of(code)) is not None
        ]
        waits = any(successor.new is None for _, _, successor in found)
        moves += [Move(name, code, after.new, waits, after.candidates) for name, code, after in found]
    return moves


def make(
    dataset: str,
    held: Iterable[tuple[bytes, Sequence[Move]]],
    *,
    origin: str,
    effective_date: str,
    as_of: Mapping[str, int],
    made_at: str,
    salt: str | None = None,
) -> Plan:
    """The plan for the records ``held``: key datums with what is to be done to them."""
    salt = salt or secrets.token_hex(16)
    draft = Plan(dataset, made_at, origin, effective_date, as_of, salt, ())
    rows: dict[Move, list[str]] = {}
    for entity, moves in held:
        for move in moves:
            rows.setdefault(move, []).append(draft.digest(entity))
    ordered = sorted(rows, key=lambda move: (move.field, move.old, move.waits, move.new or ""))
    made = tuple(Row(move, tuple(sorted(rows[move]))) for move in ordered)
    return Plan(dataset, made_at, origin, effective_date, as_of, salt, made)
