"""Takes contributions whose number is wrong to the entity of the person whose they are, and calls them back.

A row's home is the entity of the number that its source says, and every version of it arrives there, as the validate
step has it. Where it is another person's (``sync.process.person``) the home keeps it, without part in its own record,
and refers it: a record ``f`` of ``<dataset>.valid`` under the other entity, which matches and merges it like any other
and has the word about the row, ``p`` where a newer version was refused. It is called back by ``x``, a closing as of a
row that moved to its home: so the word comes back behind all that was said there (``sync.process.move``).

Only the home sends, and numbers what it sends (``sync.process.version``), so that the other entity has the newest
whatever else arrives there. What was sent last is kept in the home's state (``Entity.referrals``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from sync.process.bridge import Output
from sync.process.decision import DECIDED
from sync.process.entity import Entity, Entry, EntryKey, referral_key, refusal_key, source_row, texts
from sync.process.move import MOVE, WORD
from sync.process.outbox import encode, partition_of
from sync.process.parked import PARK
from sync.process.person import REFER
from sync.process.touched import Contribution, Touched
from sync.schema.dataset import Dataset

if TYPE_CHECKING:
    # Of those who only read referrals none needs compiled loops.
    from sync.process.means import Means

_ORIGIN = ("_topic", "_partition", "_authority", "_locality", "_changed_at")
"""What is told of a contribution that may be gone by then."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sent(NamedTuple):
    """What the home of a row sent last; ``version`` counts what it sent.

    ``person``: the entity that has the row now, empty where it was called back. ``given`` and ``refused``: the versions
    of what was sent, of the contribution and of the refusal of a newer one (-1: none). ``origin``: see ``_ORIGIN``.
    """

    version: int = -1
    person: bytes = b""
    given: int = -1
    refused: int = -1
    origin: Mapping[str, Any] = {}

    def entry(self) -> Entry:
        """As the home's state has it."""
        told = [self.person.hex(), self.given, self.refused, dict(self.origin)]
        return Entry(self.version, 0, json.dumps(told).encode())

    @staticmethod
    def of(entry: Entry | None) -> Sent:
        """From the home's state."""
        if entry is None:
            return Sent()
        person, given, refused, origin = json.loads(entry.value)
        return Sent(entry.version, bytes.fromhex(person), given, refused, origin)


class Referrals:
    """Sends what one dataset's contributions of a batch need."""

    def __init__(self, dataset: Dataset, means: Means, output: Output) -> None:
        self._dataset = dataset
        self._reader = means.reader
        self._valid = means.subjects.valid(dataset)
        self._partitions = means.subjects.partitions
        self._output = output

    def settle(self, touched: Touched, referred: Mapping[Contribution, bytes]) -> None:
        """Send so much that each row is where ``referred`` says, contribution → entity; all others are at home."""
        for contribution in dict.fromkeys((*referred, *_sent(touched.entities))):
            number, key = contribution
            entity = touched.entities[number]
            was = Sent.of(entity.referrals.get(referral_key(key)))
            now = self._recall(was, key, touched.keys[number]) if was.person != referred.get(contribution, b"") else was
            if contribution in referred:
                now = self._refer(now, contribution, referred[contribution], touched)
            if now != was:
                entity.referrals[referral_key(key)] = now.entry()

    def _recall(self, was: Sent, key: EntryKey, home: bytes) -> Sent:
        """Have a contribution closed where it was taken to, and the word about its row passed back to its home."""
        if not was.person:
            return was
        self._mark(was.person, key, was.origin, MOVE, was.version + 1, home)
        return was._replace(version=was.version + 1, person=b"", given=-1, refused=-1)

    def _refer(self, now: Sent, contribution: Contribution, person: bytes, touched: Touched) -> Sent:
        """Send what the person's entity does not have yet; where it has all, the word if it is due."""
        number, key = contribution
        entity, was = touched.entities[number], now
        entry = entity.entries[key]
        refusal = entity.refusals.get(refusal_key(key))
        refused = -1 if refusal is None else refusal.version
        if (person, entry.version) != (now.person, now.given) or (refusal is None and now.refused >= 0):
            version = max(entry.version, now.version) + 1
            origin = self._send(entry.value, touched.keys[number], person, version)
            now = Sent(version, person, entry.version, -1, origin)
        if refusal is not None and refused != now.refused:
            version = max(refused, now.version) + 1
            self._mark(person, key, now.origin, PARK, version, person, refusal.value.decode())
            now = now._replace(version=version, refused=refused)
        if now == was and contribution in touched.anew:
            self._mark(person, key, now.origin, WORD, now.version, person)
        return now

    def _send(self, value: bytes, home: bytes, person: bytes, version: int) -> Mapping[str, Any]:
        """Send a contribution as the person's; returns its origin."""
        (number,), (right,) = texts(home), texts(person)
        name = self._dataset.key[0]
        record = self._reader.read([value])
        fix = {"field": name, "rule": DECIDED, "old": number, "new": right}
        fixes = json.dumps([*json.loads(record["_fixes"][0] or "[]"), fix], ensure_ascii=False)
        taken = {name: right, "_op": REFER, "_fixes": fixes}
        record = record.with_columns(
            pl.lit(version, dtype=pl.Int64).alias("_version"),
            *(pl.lit(text, dtype=pl.String).alias(column) for column, text in taken.items()),
        )
        types = self._valid.value.dtypes
        lacking = [pl.lit(None, dtype=types[column]).alias(column) for column in types if column not in record.columns]
        (datum,) = self._valid.value.encode(record.with_columns(lacking), prefix=self._valid.value_header)
        self._put(person, datum)
        origin = record.select(*_ORIGIN[:-1], pl.col("_changed_at").dt.epoch("us")).row(0, named=True)
        return dict(origin)

    def _mark(
        self,
        person: bytes,
        key: EntryKey,
        origin: Mapping[str, Any],
        op: str,
        version: int,
        names: bytes,
        refusal: str | None = None,
    ) -> None:
        """Send a record without values: a closing, the word, a refusal. ``names``: the entity in its key fields."""
        source, row = source_row(key)
        fields = dict(zip(self._dataset.key, texts(names), strict=True))
        at = _EPOCH + timedelta(microseconds=origin["_changed_at"])
        told = {"_source": source, "_row": row, "_op": op, "_version": version, "_refusal": refusal}
        meta = {**origin, **fields, **told, "_changed_at": at}
        (value,) = encode(self._valid.value, [meta], self._valid.value_header)
        self._put(person, value)

    def _put(self, entity: bytes, value: bytes) -> None:
        records = self._output.records.setdefault(self._valid.topic, [])
        records.append((self._valid.key_header + entity, value, partition_of(entity, self._partitions)))


def _sent(entities: Sequence[Entity]) -> list[Contribution]:
    """The contributions of which something was sent."""
    found: list[Contribution] = []
    for number, entity in enumerate(entities):
        if entity.referrals:
            found += [(number, key) for key in entity.entries if referral_key(key) in entity.referrals]
    return found
