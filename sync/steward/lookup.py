"""One entity as the reconciler knows it, read from ``<dataset>.contributions`` and the register's golden topic.

Called by ``dongbo explain`` and the review service. Kafka has no look-up by key, so the one partition that the key
belongs to is read to its end, undecoded but for the record that counts: about a second for some hundred thousand
entities. Nothing is kept, nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sync.errors import ConfigError
from sync.kafka.client import partitions
from sync.kafka.replay import replay
from sync.process.decision import Book, Decisions
from sync.process.entity import CODE_SHIFT, Entity, decode, referral_key, source_row, texts
from sync.process.outbox import Subjects, partition_of
from sync.process.person import REFER
from sync.process.reader import FRAME
from sync.process.reason import CODES, MATCHED, REFERRED
from sync.process.referral import Sent
from sync.process.transfer import read, resolve
from sync.rule.explanation import Claim
from sync.rule.linkage import masked
from sync.rule.standing import REGISTER
from sync.rule.transfer import Passage, carried
from sync.schema.avro import decode_one, encode_one, split
from sync.schema.dataset import Dataset
from sync.schema.derived import key_schema, topic
from sync.schema.registry import RegistryClient

SEPARATOR = "|"
"""Between the parts of a key of several fields."""


def key_of(dataset: Dataset, key: str) -> dict[str, str]:
    """The key's fields from its text. Raises ConfigError naming the fields where their number is wrong."""
    parts = key.split(SEPARATOR)
    if len(parts) != len(dataset.key) or not all(parts):
        raise ConfigError(
            f"A key of {dataset.id} has {len(dataset.key)} part(s), not {len(parts)}.",
            hint=f"write {SEPARATOR.join(name.upper() for name in dataset.key)}",
        )
    return dict(zip(dataset.key, parts, strict=True))


def entity(bootstrap: str, dataset: Dataset, key: str) -> Entity | None:
    """All that is known of the entity ``key``; None where nobody has ever contributed to it.

    Raises ConfigError (the key's form), Refused (no such topic: nothing was reconciled yet), Unavailable.
    """
    datum = encode_one(key_schema(dataset), key_of(dataset, key))
    found = _last(bootstrap, topic(dataset.id, "contributions"), datum)
    if found is None:
        return None
    known = decode(found[FRAME:])
    if dataset.policy.register is not None:
        known.register = _last(bootstrap, topic(dataset.policy.register, "golden"), datum)
    return known


def _last(bootstrap: str, name: str, datum: bytes) -> bytes | None:
    """The last value of a topic whose key, without its frame, is ``datum``; None where there is none."""
    found: bytes | None = None
    for items, _ in replay(bootstrap, name, partition_of(datum, len(partitions(bootstrap, name))), 0):
        for framed, value in items:
            if framed[FRAME:] == datum:
                found = value
    return found


def passages(bootstrap: str, known: Entity, dataset: Dataset, key: str, registry: RegistryClient) -> list[Passage]:
    """What transfers of merged units, and the decisions about them, do to the fields of the entity ``key``."""
    transfers = []
    for entry in known.transfers.values():
        if entry.value:
            transfers.append(read(_record(registry, entry.value)))
    by: Book = Book()
    if any(transfer.waiting for transfer in transfers):
        by = Decisions(bootstrap, registry, Subjects(registry, bootstrap, 1))
        try:
            by.follow(dataset)
            by.fresh()
        finally:
            by.close()
    return resolve(dataset.id, 0, key, transfers, by).passages


class Referral(NamedTuple):
    """A row whose number a data steward said is wrong: ``given`` by its source, ``right``; both masked."""

    source: str
    row: str
    given: str
    right: str


def referrals(known: Entity, key: str, registry: RegistryClient) -> list[Referral]:
    """The contributions that came to the entity ``key`` from another number, or were taken from it to one."""
    found = []
    for name, entry in sorted(known.entries.items()):
        if not entry.value:
            continue
        if CODES[entry.flags >> CODE_SHIFT] == REFERRED:
            (right,) = texts(Sent.of(known.referrals[referral_key(name)]).person)
            found.append(Referral(*source_row(name), masked(key), masked(right)))
            continue
        said = _record(registry, entry.value)
        if said["_op"] == REFER:
            fix = json.loads(said["_fixes"])[-1]
            found.append(Referral(*source_row(name), masked(fix["old"]), masked(fix["new"])))
    return found


def _record(registry: RegistryClient, value: bytes) -> dict[str, Any]:
    schema_id, datum = split(value)
    return decode_one(registry.schema(schema_id), datum)


def claims(known: Entity, dataset: Dataset, registry: RegistryClient, moved: Sequence[Passage] = ()) -> list[Claim]:
    """The live contributions of an entity and the register's word, by source and row; units read as ``moved`` says."""
    names = [field.name for field in dataset.fields]
    found = []
    for key, entry in known.entries.items():
        if not entry.value:
            continue
        said = _record(registry, entry.value)
        source, row = source_row(key)
        found.append(
            Claim(
                source=source,
                row=row,
                authority=said["_authority"],
                locality=said["_locality"],
                changed_at=said["_changed_at"],
                values=carried({name: said.get(name) for name in names}, moved),
                waiting=None if (code := CODES[entry.flags >> CODE_SHIFT]) in MATCHED else code,
            )
        )
    if known.register is not None and dataset.policy.register is not None:
        person = _record(registry, known.register)
        values = carried({name: person.get(name) for name in names}, moved)
        found.append(Claim(dataset.policy.register, "", REGISTER, None, None, values))
    return sorted(found, key=lambda claim: (claim.source, claim.row))
