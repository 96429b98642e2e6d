"""The whole path of one change: decode, clean, check, match, merge, encode.

Less than ours does: what is known of an entity is in a dict, not in a changelog; nothing is counted in a ledger;
deliveries are at least once.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import fastavro

from bench.perrecord.cleaning import Cleaner, Record
from bench.perrecord.rule import Rules
from bench.perrecord.table import tables
from bench.stream import FEEDS, TABLE, Feed, key_schema, value_schema
from sync.process.reader import FRAME
from sync.rule.index import name_key
from sync.rule.merge import NO_LINEAGE, ORDINALS, REGISTER
from sync.rule.model import Group, Policy
from sync.schema import derived
from sync.schema.avro import header
from sync.schema.dataset import load
from sync.schema.reference import agency_province, load_reference

Output = tuple[str, bytes, bytes | None]
"""Topic, key, value."""

Ids = Callable[[str], tuple[int, int]]
"""Schema ids of a topic's key and value."""


@dataclass(slots=True)
class Contribution:
    """What one source row says of a person."""

    source: str
    row: str
    authority: str
    locality: str | None
    changed_at: datetime | None
    record: Record

    @property
    def recency(self) -> datetime:
        """By what the newest is found."""
        return self.record["source_updated_at"] or self.changed_at or datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Person:
    """All that is known about one person."""

    contributions: dict[tuple[str, str], Contribution] = field(default_factory=dict)
    golden: bytes | None = None
    values: Record | None = None
    locality: str | None = None


class Path:
    """Handles the records of ``FEEDS``. ``register``: golden records of the population register by citizen id."""

    def __init__(self, ids: Ids, register: dict[str, Record], today: date) -> None:
        reference = load_reference()
        self._dataset = load("civil_servant")
        known = tables(reference, self._dataset)
        self._cleaner = Cleaner(self._dataset, known, today)
        self._rules = Rules(known, today)
        self._register = register
        self._provinces = agency_province(reference)
        self._people: dict[str, Person] = {}
        self._names = [item.name for item in self._dataset.fields]
        self._feeds = {feed.topic: feed for feed in FEEDS}
        parse = fastavro.parse_schema
        self._read = {feed.topic: (parse(key_schema(feed)), parse(value_schema(feed))) for feed in FEEDS}
        self._key = parse(derived.key_schema(self._dataset))
        self._valid = parse(derived.valid_schema(self._dataset))
        self._golden = parse(derived.golden_schema(self._dataset))
        self._heads = {kind: tuple(map(header, ids(f"civil_servant.{kind}"))) for kind in ("valid", "golden")}

    def handle(self, topic: str, key: bytes, value: bytes, partition: int, offset: int) -> Iterator[Output]:
        """What a change gives; nothing for one that is refused."""
        feed, (key_form, value_form) = self._feeds[topic], self._read[topic]
        row = f"{TABLE}/{_decode(key_form, key)['id']}"
        envelope = _decode(value_form, value)
        record = envelope["after"]
        fixes, refused = self._cleaner.clean(record)
        found = [*refused, *self._rules.check(record)]
        if any(severity != "WARN" for _, _, severity in found):
            return
        moment = datetime.fromtimestamp(envelope["source"]["ts_us"] / 1e6, UTC)
        contribution = Contribution(feed.name, row, feed.authority, feed.locality, moment, record)
        entity = _encode(self._key, {"citizen_id": record["citizen_id"]})
        warnings = [(name, rule) for name, rule, _ in found]
        valid = self._meta(feed, contribution, partition, offset, fixes, warnings)
        key_head, value_head = self._heads["valid"]
        yield "civil_servant.valid", key_head + entity, value_head + _encode(self._valid, {**valid, **record})
        yield from self._reconcile(contribution, entity, {name for name, rule in fixes if rule == "VR06"})

    def _meta(
        self,
        feed: Feed,
        contribution: Contribution,
        partition: int,
        offset: int,
        fixes: list[tuple[str, str]],
        warnings: list[tuple[str, str]],
    ) -> Record:
        return {
            "_source": feed.name,
            "_row": contribution.row,
            "_topic": feed.topic,
            "_partition": partition,
            "_authority": feed.authority,
            "_locality": feed.locality,
            "_version": offset,
            "_changed_at": contribution.changed_at,
            "_op": "u",
            "_fixes": _findings(fixes),
            "_warnings": _findings(warnings),
        }

    def _reconcile(self, contribution: Contribution, entity: bytes, padded: set[str]) -> Iterator[Output]:
        number = contribution.record["citizen_id"]
        registered = self._register.get(number)
        if match(contribution.record, registered, bool(padded)) not in ("MATCH", "MATCH_WITH_FIX"):
            return
        person = self._people.setdefault(number, Person())
        person.contributions[contribution.source, contribution.row] = contribution
        taking = [*person.contributions.values()]
        if registered is not None:
            record = {name: registered.get(name) for name in self._names}
            taking.append(Contribution("population", "", REGISTER, None, None, record))
        values, locality, lineage = merge(taking, self._names, self._dataset.policy, self._provinces)
        whole = {**values, "_locality": locality, "_lineage": lineage}
        key_head, value_head = self._heads["golden"]
        key, datum = key_head + entity, value_head + _encode(self._golden, whole)
        if datum != person.golden:
            yield "civil_servant.golden", key, datum
        if person.locality not in (None, locality):
            yield f"civil_servant.golden.{person.locality}", key, None
        if locality is not None and (values != person.values or contribution.locality == locality):
            yield f"civil_servant.golden.{locality}", key, datum
        if contribution.locality not in (None, locality, person.locality):
            yield f"civil_servant.golden.{contribution.locality}", key, None
        person.golden, person.values, person.locality = datum, values, locality


def match(record: Record, registered: Record | None, padded: bool) -> str:
    """The decision of DOMAIN §7.7, without the spelling of final i and y."""
    if registered is None:
        return "NOT_IN_REGISTER"
    if record["full_name"] != registered["full_name"] and name_key(record["full_name"]) != name_key(
        registered["full_name"]
    ):
        return "NAME_DIFFERS"
    born, known = record["birth_date"], registered["birth_date"]
    if not (born.startswith(known) or known.startswith(born)):
        return "BIRTH_DATE_DIFFERS"
    if {record["gender"], registered["gender"]} == {"1", "2"}:
        return "SEX_DIFFERS"
    return "MATCH_WITH_FIX" if padded or len(born) < len(known) else "MATCH"


def merge(
    contributions: list[Contribution], names: list[str], policy: Policy, provinces: dict[str, str]
) -> tuple[Record, str | None, str]:
    """Golden values, the owner's province, the lineage."""
    named = sorted(contributions, key=lambda one: (one.source, one.row))
    numbers = {id(one): ORDINALS[place] for place, one in enumerate(named)}
    recent = sorted(named, key=lambda one: one.recency, reverse=True)
    values: Record = dict.fromkeys(names)
    marks = dict.fromkeys(names, NO_LINEAGE)
    owner: str | None = None

    def take(name: str, candidates: list[Contribution]) -> None:
        for one in candidates:
            if one.record[name] is not None:
                values[name], marks[name] = one.record[name], numbers[id(one)]
                return

    for name in policy.entity:
        take(name, recent[:1])
    for group in sorted(policy.groups, key=lambda group: "manager" in group.order):
        if group.max:
            for name in group.fields:
                own = [one for one in recent if one.authority != REGISTER and one.record[name] is not None]
                take(name, sorted(own, key=_by(name), reverse=True)[:1])
            continue
        order = ranked(recent, group, owner)
        if group.atomic:
            order = [one for one in order if any(one.record[name] is not None for name in group.fields)][:1]
        for name in group.fields:
            take(name, order)
        if policy.locality is not None and policy.locality.field in group.fields:
            owner = provinces.get((values[policy.locality.field] or "").split(".")[0])
    lineage = {
        "fields": "".join(marks[name] for name in names),
        "sources": [{"source": one.source, "row": one.row, "changed_at": _told(one.recency)} for one in named],
    }
    return values, owner, json.dumps(lineage, ensure_ascii=False, separators=(",", ":"))


def _by(name: str) -> Callable[[Contribution], Any]:
    """A field's value as a sort key."""
    return lambda one: one.record[name]


def ranked(recent: list[Contribution], group: Group, owner: str | None) -> list[Contribution]:
    """The contributions that count for a group, best first."""

    def authority(one: Contribution) -> int:
        name = "manager" if one.authority == "locality" and owner and one.locality == owner else one.authority
        name = name if name in group.order else one.authority
        return group.order.index(name) if name in group.order else -1  # type: ignore[arg-type]

    taking = sorted((one for one in recent if authority(one) >= 0), key=authority)
    if group.latest:
        latest = group.latest
        taking.sort(key=lambda one: one.record[latest] or date.min, reverse=True)
    return taking


def _told(moment: datetime) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment.year > 1 else None


def _findings(found: list[tuple[str, str]]) -> str | None:
    return json.dumps([{"field": name, "rule": rule} for name, rule in found]) if found else None


def _decode(schema: Any, data: bytes) -> Any:
    return fastavro.schemaless_reader(io.BytesIO(data[FRAME:]), schema, None)


def _encode(schema: Any, record: Record) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()
