"""The commands ``worker`` and ``connector …``. Mounted by ``sync.cli``; each ends with exit code 0 only on success."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from sync.connect.connector_command import connector
from sync.connect.manifest import read_connectors
from sync.connect.service import Service
from sync.connect.settings import OFFSETS_TOPIC, Settings
from sync.connect.status import STATUS_TOPIC
from sync.connect.supervision import Healing
from sync.connect.telling import told
from sync.kafka.registrations import CONFIGS_TOPIC

app = typer.Typer(no_args_is_help=True)
app.add_typer(connector, name="connector")

_HEALING = Healing()


@app.command()
def worker(
    bootstrap: Annotated[
        str, typer.Option("--bootstrap-servers", envvar="DONGBO_BOOTSTRAP_SERVERS", help="Kafka's addresses.")
    ] = "localhost:9092",
    registry_url: Annotated[
        str, typer.Option("--schema-registry-url", envvar="DONGBO_SCHEMA_REGISTRY_URL", help="The registry's address.")
    ] = "http://localhost:8081",
    rest_host: Annotated[
        str, typer.Option(envvar="DONGBO_REST_HOST", help="Address to listen on; 0.0.0.0 for all.")
    ] = "127.0.0.1",
    rest_port: Annotated[int, typer.Option(envvar="DONGBO_REST_PORT", help="REST port; 0 takes a free one.")] = 8083,
    worker_id: Annotated[
        str, typer.Option(envvar="DONGBO_WORKER_ID", help="Name in statuses; host:port by default.")
    ] = "",
    group: Annotated[
        str, typer.Option(envvar="DONGBO_WORKER_GROUP", help="Workers of one group share the connectors.")
    ] = "dongbo",
    advertised_url: Annotated[
        str,
        typer.Option(
            envvar="DONGBO_ADVERTISED_URL",
            help="Where the group's other workers reach this one's REST API; http://host:port by default.",
        ),
    ] = "",
    standalone: Annotated[
        list[str] | None,
        typer.Option(help="Run the connectors of this file (JSON, YAML, .properties) or folder, in no group."),
    ] = None,
    stall_after: Annotated[
        float,
        typer.Option(envvar="DONGBO_STALL_AFTER", help="Seconds without progress after which a task is restarted."),
    ] = _HEALING.patience,
    give_up_after: Annotated[
        float,
        typer.Option(envvar="DONGBO_GIVE_UP_AFTER", help="Seconds of failing after which a task is left FAILED."),
    ] = _HEALING.give_up,
    configs_topic: Annotated[
        str, typer.Option(envvar="DONGBO_CONFIGS_TOPIC", help="Topic of the configurations.")
    ] = CONFIGS_TOPIC,
    offsets_topic: Annotated[
        str, typer.Option(envvar="DONGBO_OFFSETS_TOPIC", help="Topic of the sources' positions.")
    ] = OFFSETS_TOPIC,
    status_topic: Annotated[
        str, typer.Option(envvar="DONGBO_STATUS_TOPIC", help="Topic of the states.")
    ] = STATUS_TOPIC,
    show_passwords: Annotated[
        bool,
        typer.Option(
            "--rest-show-passwords",
            envvar="DONGBO_REST_SHOW_PASSWORDS",
            help="Answer with clear passwords as they were submitted, as Kafka Connect does.",
        ),
    ] = False,
    log_level: Annotated[str, typer.Option(envvar="DONGBO_LOG_LEVEL", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Run the connectors registered over REST, until SIGTERM."""
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # httpx tells each request's URL at INFO: noise, and a registry's URL may hold a password.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with told():
        Service(
            Settings(
                bootstrap=bootstrap,
                registry_url=registry_url,
                rest_host=rest_host,
                rest_port=rest_port,
                worker_id=worker_id,
                group=group,
                configs_topic=configs_topic,
                offsets_topic=offsets_topic,
                status_topic=status_topic,
                show_passwords=show_passwords,
                advertised_url=advertised_url,
            ),
            healing=Healing(patience=stall_after, give_up=give_up_after),
            standalone=None
            if standalone is None
            else [pair for given in standalone for pair in read_connectors(given)],
        ).run()
