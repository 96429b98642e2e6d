"""What the commands ``transfer …`` do, over one connection to broker and registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sync.errors import ConfigError
from sync.kafka.client import partitions, topic_partitions
from sync.process.decision import Decisions
from sync.process.entity import TRANSFER
from sync.process.outbox import Subjects
from sync.rule.succession import Succession, Successor, of_mapping, of_reference, of_units
from sync.schema.dataset import load
from sync.schema.derived import topic
from sync.schema.reference import load_reference
from sync.schema.registry import RegistryClient
from sync.steward.review import Review
from sync.steward.transfer.execution import BATCH, Execution
from sync.steward.transfer.golden import Golden
from sync.steward.transfer.plan import Plan, make
from sync.steward.transfer.status import status

_UNITS = "organization_unit"
"""The dataset whose records tell which unit follows which."""

_TABLES = ("agencies", "provinces", "provinces_old", "communes", "commune_resolution")


@dataclass(frozen=True, slots=True)
class Place:
    """Where broker and registry are."""

    bootstrap: str
    registry_url: str


@contextmanager
def _registry(at: Place) -> Iterator[RegistryClient]:
    client = RegistryClient(at.registry_url)
    try:
        yield client
    finally:
        client.close()


def plan(at: Place, dataset_id: str, mapping: Path | None = None) -> Plan:
    """The plan for the golden records as they are; ConfigError for the dataset or the mapping. Writes nothing."""
    dataset = load(dataset_id)
    if not dataset.policy.transfer:
        raise ConfigError(
            f"The dataset {dataset.id} has no fields that follow a merged unit.",
            hint=f"name them in schemas/{dataset.id}/policy.yaml under transfer",
        )
    succession, origin = _succession(mapping)
    with _registry(at) as registry:
        succession = succession.beside(_units(at, registry), within=mapping is not None)
        held, as_of = Golden(at.bootstrap, registry, dataset).held(succession)
    dates = [
        after.effective
        for moves in held.values()
        for move in moves
        if (after := succession.of(move.old)) is not None and after.effective
    ]
    made_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return make(
        dataset.id, held.items(), origin=origin, effective_date=max(dates, default=""), as_of=as_of, made_at=made_at
    )


_TOLD = ("agency_code", "name", "valid_to", "successor_codes")


def _units(at: Place, registry: RegistryClient) -> Mapping[str, Successor]:
    """What the units tell of their successors, where the dataset of units is in use."""
    dataset = load(_UNITS)
    if topic(dataset.id, "golden") not in topic_partitions(at.bootstrap):
        return {}
    return of_units(Golden(at.bootstrap, registry, dataset).frame(_TOLD))


def _succession(mapping: Path | None) -> tuple[Succession, str]:
    if mapping is None:
        return of_reference(load_reference(_TABLES)), "reference"
    try:
        text = mapping.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{mapping.name} can't be read as UTF-8 text.", hint="name a CSV file") from error
    return of_mapping(text, mapping.name), mapping.name


def apply(at: Place, made: Plan, *, by: str, batch: int = BATCH) -> Iterator[int]:
    """As ``Execution.apply``."""
    with _registry(at) as registry:
        yield from Execution(at.bootstrap, registry, made, by=by, batch=batch).apply()


def undo(at: Place, made: Plan, *, by: str, batch: int = BATCH) -> Iterator[int]:
    """As ``Execution.undo``."""
    with _registry(at) as registry:
        yield from Execution(at.bootstrap, registry, made, by=by, batch=batch).undo()


def standing(at: Place, made: Plan) -> dict[str, Any]:
    """As ``sync.steward.transfer.status.status``."""
    dataset = load(made.dataset)
    with _registry(at) as registry:
        review = Review(at.bootstrap, at.registry_url)
        decisions = Decisions(
            at.bootstrap,
            registry,
            Subjects(registry, at.bootstrap, len(partitions(at.bootstrap, topic(dataset.id, "golden")))),
        )
        try:
            cases = {case["row"] for case in review.cases(dataset.id, source=TRANSFER)}
            decisions.follow(dataset)
            decisions.fresh()
            return status(Execution(at.bootstrap, registry, made, by=""), made, cases, decisions)
        finally:
            decisions.close()
            review.close()
