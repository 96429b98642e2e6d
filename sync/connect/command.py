"""The commands ``worker`` and ``connector …``. Mounted by ``sync.cli``; each ends with exit code 0 only on success."""

from __future__ import annotations

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
from sync.option import BOOTSTRAP, REGISTRY, Bootstrap, LogLevel, RegistryUrl, log_at

app = typer.Typer(no_args_is_help=True)
app.add_typer(connector, name="connector")

_HEALING = Healing()

RestHost = Annotated[str, typer.Option(envvar="DONGBO_REST_HOST", help="Address to listen on; 0.0.0.0 for all.")]
RestPort = Annotated[int, typer.Option(envvar="DONGBO_REST_PORT", help="REST port; 0 takes a free one.")]
WorkerId = Annotated[str, typer.Option(envvar="DONGBO_WORKER_ID", help="Name in statuses; host:port by default.")]
Group = Annotated[str, typer.Option(envvar="DONGBO_WORKER_GROUP", help="Workers of one group share the connectors.")]
AdvertisedUrl = Annotated[
    str,
    typer.Option(
        envvar="DONGBO_ADVERTISED_URL",
        help="Where the group's other workers reach this one's REST API; http://host:port by default.",
    ),
]
Standalone = Annotated[
    list[str] | None,
    typer.Option(help="Run the connectors of this file (JSON, YAML, .properties) or folder, in no group."),
]
StallAfter = Annotated[
    float, typer.Option(envvar="DONGBO_STALL_AFTER", help="Seconds without progress after which a task is restarted.")
]
GiveUpAfter = Annotated[
    float, typer.Option(envvar="DONGBO_GIVE_UP_AFTER", help="Seconds of failing after which a task is left FAILED.")
]
ConfigsTopic = Annotated[str, typer.Option(envvar="DONGBO_CONFIGS_TOPIC", help="Topic of the configurations.")]
OffsetsTopic = Annotated[str, typer.Option(envvar="DONGBO_OFFSETS_TOPIC", help="Topic of the sources' positions.")]
StatusTopic = Annotated[str, typer.Option(envvar="DONGBO_STATUS_TOPIC", help="Topic of the states.")]
ShowPasswords = Annotated[
    bool,
    typer.Option(
        "--rest-show-passwords",
        envvar="DONGBO_REST_SHOW_PASSWORDS",
        help="Answer with clear passwords as they were submitted, as Kafka Connect does.",
    ),
]


@app.command()
def worker(
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    rest_host: RestHost = "127.0.0.1",
    rest_port: RestPort = 8083,
    worker_id: WorkerId = "",
    group: Group = "dongbo",
    advertised_url: AdvertisedUrl = "",
    standalone: Standalone = None,
    stall_after: StallAfter = _HEALING.patience,
    give_up_after: GiveUpAfter = _HEALING.give_up,
    configs_topic: ConfigsTopic = CONFIGS_TOPIC,
    offsets_topic: OffsetsTopic = OFFSETS_TOPIC,
    status_topic: StatusTopic = STATUS_TOPIC,
    show_passwords: ShowPasswords = False,
    log_level: LogLevel = "INFO",
) -> None:
    """Run the connectors registered over REST, until SIGTERM."""
    log_at(log_level)
    settings = Settings(
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
    )
    with told():
        files = None if standalone is None else [one for given in standalone for one in read_connectors(given)]
        Service(settings, healing=Healing(patience=stall_after, give_up=give_up_after), standalone=files).run()
