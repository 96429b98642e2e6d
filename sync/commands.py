"""``dongbo process``. Mounted by ``sync.cli``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from prometheus_client import start_http_server

from sync import pipeline
from sync.option import BOOTSTRAP, REGISTRY, Bootstrap, LogLevel, RegistryUrl, log_at

process = typer.Typer(no_args_is_help=True, help="Stream processors between source topics and golden records.")

DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="DONGBO_DATA_DIR", help="Folder for the cache of the state.")
]
Instance = Annotated[
    str,
    typer.Option(
        "--instance", envvar="DONGBO_INSTANCE", help="Stable name among the processors of a kind: 0, 1, …; a pod's."
    ),
]
Partitions = Annotated[
    int, typer.Option(envvar="DONGBO_PARTITIONS", min=1, help="Partitions of the dataset topics made anew.")
]
MetricsPort = Annotated[
    int, typer.Option("--metrics-port", envvar="DONGBO_METRICS_PORT", help="Port of /metrics; 0 serves none.")
]


def _add(name: str, text: str, run: Callable[[pipeline.Settings], NoReturn]) -> None:
    """Register a processor of the data path: all of them have the same options."""

    @process.command(name, help=text)
    def command(
        bootstrap: Bootstrap = BOOTSTRAP,
        registry_url: RegistryUrl = REGISTRY,
        data_dir: DataDir = Path(".dongbo"),
        instance: Instance = "0",
        partitions: Partitions = 2,
        metrics_port: MetricsPort = 0,
        log_level: LogLevel = "INFO",
    ) -> None:
        _begin(log_level, metrics_port)
        run(pipeline.Settings(bootstrap, registry_url, data_dir, instance, partitions))


_add("validate", "Map, clean and check the sources' changes: <dataset>.valid, .rejected.", pipeline.validate)
_add(
    "reconcile",
    "Match with the register and merge: <dataset>.golden, .golden.<locality>, .verdict, .review.",
    pipeline.reconcile,
)


def _add_single(name: str, text: str, run: Callable[[pipeline.Settings], NoReturn]) -> None:
    """Register a processor of which there is one, since it has the whole index."""

    @process.command(name, help=text)
    def command(
        bootstrap: Bootstrap = BOOTSTRAP,
        registry_url: RegistryUrl = REGISTRY,
        data_dir: DataDir = Path(".dongbo"),
        partitions: Partitions = 2,
        metrics_port: MetricsPort = 0,
        log_level: LogLevel = "INFO",
    ) -> None:
        _begin(log_level, metrics_port)
        run(pipeline.Settings(bootstrap, registry_url, data_dir, partitions=partitions))


_add_single(
    "candidates",
    "Find people of the register for open cases, and two numbers for one person: <dataset>.candidates, .aliases. "
    "One process: it has the whole index.",
    pipeline.candidates,
)
_add_single(
    "relations",
    "Judge rules across datasets by golden records: <dataset>.relations, .verdict, .review, dongbo.findings. "
    "One process: it has the whole index.",
    pipeline.relations,
)


@process.command()
def indicators(
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    data_dir: DataDir = Path(".dongbo"),
    instance: Instance = "0",
    web_port: Annotated[int, typer.Option(envvar="DONGBO_WEB_PORT", help="Port of /indicators and /quality.")] = 6066,
    web_host: Annotated[
        str, typer.Option(envvar="DONGBO_WEB_HOST", help="Address to listen on; 0.0.0.0 for all.")
    ] = "127.0.0.1",
    metrics_port: MetricsPort = 0,
    log_level: LogLevel = "INFO",
) -> None:
    """Count coverage and quality by source: Prometheus metrics, /indicators and /quality."""
    _begin(log_level, metrics_port)
    pipeline.indicators(pipeline.Settings(bootstrap, registry_url, data_dir, instance), web_host, web_port)


def _begin(log_level: str, metrics_port: int) -> None:
    log_at(log_level)
    if metrics_port:
        start_http_server(metrics_port)
