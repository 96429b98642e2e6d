"""Whether the golden records are what the invented people are: looked at before a figure is believed."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import fastavro

from bench import stream
from sync.demo import world
from sync.errors import Refused
from sync.kafka.client import read_all
from sync.schema.avro import split
from sync.schema.dataset import load
from sync.schema.location import schemas_root
from sync.schema.registry import RegistryClient


def verify(bootstrap: str, registry: RegistryClient, people: int, seed: int) -> None:
    """Compare each person's last golden record with what the merge policy makes of both rows. Raises Refused."""
    found: dict[str, bytes] = {}
    for message in read_all(bootstrap, f"{stream.DATASET}.golden"):
        found[(message.key() or b"")[-12:].decode()] = message.value() or b""
    there = world.load(schemas_root(), seed=seed, localities=3, today=date.today())
    parsed: dict[int, Any] = {}
    wrong = 0
    for index in range(people):
        ministry, locality = stream.rows(there, index)
        datum = found.get(ministry["citizen_id"])
        if datum is None:
            wrong += 1
            continue
        number, body = split(datum)
        if number not in parsed:
            parsed[number] = fastavro.parse_schema(registry.schema(number))
        golden = fastavro.schemaless_reader(io.BytesIO(body), parsed[number], None)
        assert isinstance(golden, dict)
        wrong += not _is(golden, ministry, locality)
    if wrong or len(found) != people:
        raise Refused(f"{wrong} of {people} golden records are wrong ({len(found)} found): the figures mean nothing.")


def _is(golden: dict[str, Any], ministry: dict[str, Any], locality: dict[str, Any]) -> bool:
    """Where a locality's word comes before the ministry's (policy.yaml) it is the locality's; the rest is alike."""
    groups = [group for group in load(stream.DATASET).policy.groups if group.order[-2:] == ("locality", "ministry")]
    contact = {name for group in groups for name in group.fields}
    for field in load(stream.DATASET).fields:
        wanted = (locality if field.name in contact else ministry).get(field.name)
        if golden[field.name] != wanted:
            return False
    return True
