"""The composition root: the data path, readable from top to bottom.

source → ``validate`` → ``reconcile`` → sinks. Connectors run in ``dongbo worker`` (``sync.connect``); here are the
processors between them. Each process is one of these functions; all settings come as arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from sync.kafka.client import topic_names
from sync.process.app import BulkApp, bulk_app, run
from sync.process.blocking import Blocking
from sync.process.bridge import BATCH, Step
from sync.process.candidate import Candidates
from sync.process.decision import Decisions
from sync.process.indicators import indicators_app
from sync.process.origin import Sources
from sync.process.outbox import Subjects
from sync.process.reader import Reader
from sync.process.reconcile import Reconciler
from sync.process.relation.index import Relating, looked_at
from sync.process.relation.layout import RELATIONS, Layout
from sync.process.relation.step import Relations
from sync.process.scoring import Quality
from sync.process.state import StateStore, only
from sync.process.usage import Usage
from sync.process.validate import Validator
from sync.schema import loops
from sync.schema.dataset import datasets, load
from sync.schema.linkage import weights
from sync.schema.location import schemas_root
from sync.schema.reference import bodies, load_reference, owners
from sync.schema.registry import RegistryClient

_SHARED = 10_000
"""Records that the steps take at most: what passes over columns cost by the pass is shared by them. A batch of changes
has records of several topics, each worked on by itself; contributions to an entity that come together are merged once.
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is. ``instance`` names this process among its kind and stays the same after a restart."""

    bootstrap: str
    registry_url: str
    data_dir: Path
    instance: str = "0"
    partitions: int = 2


def validate(settings: Settings) -> NoReturn:
    """Run the validate processor until it is told to stop; ends the process."""
    store = StateStore(settings.bootstrap, settings.data_dir / "state" / f"validate-{settings.instance}")
    registry = RegistryClient(settings.registry_url)
    subjects = Subjects(registry, settings.bootstrap, settings.partitions)
    step = Validator(
        bootstrap=settings.bootstrap,
        registry=registry,
        subjects=subjects,
        reference=load_reference(),
        sources=Sources(settings.bootstrap),
        decisions=Decisions(settings.bootstrap, registry, subjects),
        get=store.get,
    )
    run(_bulk(step, store, settings, "dongbo-validate", size=_SHARED))


def reconcile(settings: Settings) -> NoReturn:
    """Run the reconcile processor until it is told to stop; ends the process."""
    loops.prepare()
    store = StateStore(settings.bootstrap, settings.data_dir / "state" / f"reconcile-{settings.instance}")
    registry = RegistryClient(settings.registry_url)
    subjects = Subjects(registry, settings.bootstrap, settings.partitions)
    step = Reconciler(
        registry=registry,
        subjects=subjects,
        decisions=Decisions(settings.bootstrap, registry, subjects),
        datasets=[],
        provinces=owners(load_reference(["agencies", "provinces"])),
        get=store.get,
        discover=Usage(Sources(settings.bootstrap)).fresh,
    )
    run(_bulk(step, store, settings, "dongbo-reconcile", size=_SHARED))


def candidates(settings: Settings) -> NoReturn:
    """Run the processor that looks for candidates until it is told to stop; ends the process."""
    registry = RegistryClient(settings.registry_url)
    form = Blocking(Reader(registry).read)
    store = StateStore(settings.bootstrap, settings.data_dir / "state" / "candidates", form)
    subjects = Subjects(registry, settings.bootstrap, settings.partitions)
    step = Candidates(
        subjects=subjects,
        index=store,
        weights=partial(weights, schemas_root()),
        register=load,
        decisions=Decisions(settings.bootstrap, registry, subjects),
        discover=Usage(Sources(settings.bootstrap)).fresh,
    )
    run(_bulk(step, store, settings, "dongbo-candidates", ended=step.ended))


def relations(settings: Settings) -> NoReturn:
    """Run the processor that judges rules across datasets until it is told to stop; ends the process."""
    registry = RegistryClient(settings.registry_url)
    layout = Layout((load(name) for name in datasets()), _related(settings.bootstrap))
    form = Relating(layout, lambda kept: Reader(registry, looked_at(kept)).read)
    root = only(settings.data_dir / "state" / "relations", layout.digest)
    store = StateStore(settings.bootstrap, root, form)
    subjects = Subjects(registry, settings.bootstrap, settings.partitions)
    step = Relations(
        subjects=subjects,
        index=store,
        layout=layout,
        reader=Reader(registry),
        reference=load_reference(),
        decisions=Decisions(settings.bootstrap, registry, subjects),
        discover=Usage(Sources(settings.bootstrap)).fresh,
    )
    run(_bulk(step, store, settings, "dongbo-relations", ended=step.ended))


def indicators(settings: Settings, web_host: str, web_port: int) -> NoReturn:
    """Run the stock Faust app for coverage and quality until it is told to stop; ends the process."""
    registry = RegistryClient(settings.registry_url)
    subjects = Subjects(registry, settings.bootstrap, settings.partitions)
    # The app reads these topics; making them first spares it a wait for the processors.
    for subject in (subjects.ledger(), subjects.quality(), subjects.findings(), subjects.indicators()):
        _ = subject.ids
    reference = load_reference(["agencies", "provinces"])
    app = indicators_app(
        registry,
        Quality(
            subjects.indicators(),
            Sources(settings.bootstrap),
            bodies(reference),
            owners(reference),
            partial(_related, settings.bootstrap),
        ),
        bootstrap=settings.bootstrap,
        data_dir=settings.data_dir,
        instance=settings.instance,
        web_host=web_host,
        web_port=web_port,
    )
    run(app)


def _related(bootstrap: str) -> set[str]:
    """The datasets that rules across datasets were judged for."""
    return {name.removesuffix(RELATIONS) for name in topic_names(bootstrap) if name.endswith(RELATIONS)}


def _bulk(
    step: Step,
    store: StateStore,
    settings: Settings,
    group: str,
    size: int = BATCH,
    ended: Callable[[str, int], None] | None = None,
) -> BulkApp:
    return bulk_app(
        step,
        store,
        bootstrap=settings.bootstrap,
        group=group,
        instance=settings.instance,
        data_dir=settings.data_dir,
        size=size,
        ended=ended,
    )
