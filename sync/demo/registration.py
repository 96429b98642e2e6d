"""The demo's connectors: the files of ``connectors/``, adapted to each locality, registered over REST.

Called by ``sync.demo.command``. Assumes that the worker's environment has what the files' ``${env:…}`` name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import sync
from sync.connect.client import Client
from sync.demo.process import wait_until
from sync.demo.site import CENTRE, MINISTRY, REGISTER, Site
from sync.errors import ConfigError, Refused

TEMPLATE, TEMPLATE_CODE, TEMPLATE_HABIT = "tinh_01", "01", "vn_short"
"""The locality whose files stand for all: its name, province and mapping in them."""


def connectors_root() -> Path:
    """The folder of the files: the wheel's copy, else the checkout's. ConfigError where there is none."""
    package = Path(sync.__file__).parent
    for place in (package / "_share" / "connectors", package.parent / "connectors"):
        if (place / f"{MINISTRY.name}.json").is_file():
            return place
    raise ConfigError("The folder connectors is missing.", hint="Install the package again, or use a whole checkout.")


def sink_name(database: str) -> str:
    """The name of the connector that writes into ``database``."""
    return f"{database}-sink"


def read(root: Path, name: str) -> dict[str, str]:
    """The configuration in ``<root>/<name>.json``. ConfigError naming the file where it can't be read."""
    path = root / f"{name}.json"
    try:
        config: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{name}.json is no connector's file.", hint=f"Restore connectors/{name}.json.") from error
    return config


def adapted(config: Mapping[str, str], site: Site) -> dict[str, str]:
    """A template's configuration for another locality: its name, its topics, its province, its mapping."""
    province, habit = str(site.locality), site.table("civil_servant").mapping
    texts = {
        TEMPLATE: site.name,
        f".golden.{TEMPLATE_CODE}:": f".golden.{province}:",
        f".golden.{TEMPLATE_CODE},": f".golden.{province},",
        f"/{TEMPLATE_HABIT}": f"/{habit}",
    }
    result = {}
    for key, value in config.items():
        for old, new in texts.items():
            value = value.replace(old, new)
        result[key] = value
    if "dongbo.source.locality" in result:
        result["dongbo.source.locality"] = province
    return result


def registrations(sites: tuple[Site, ...]) -> dict[str, dict[str, str]]:
    """Connector name → configuration, sinks first, so that nothing waits for them later."""
    root = connectors_root()
    found = {sink_name(CENTRE): read(root, sink_name(CENTRE))}
    local = [site for site in sites if site.locality]
    for site in local:
        found[sink_name(site.name)] = adapted(read(root, sink_name(TEMPLATE)), site)
    for site in (REGISTER, MINISTRY):
        found[site.name] = read(root, site.name)
    for site in local:
        found[site.name] = adapted(read(root, TEMPLATE), site)
    return found


def register(client: Client, configs: Mapping[str, Mapping[str, str]], *, seconds: float = 60) -> None:
    """Register all and wait until they run. Raises Refused with the first failed task's reason, Unavailable."""
    for name, config in configs.items():
        client.apply(name, config)
    wait_until(lambda: _running(client, set(configs)), "The connectors' start", seconds=seconds)


def _running(client: Client, names: set[str]) -> bool:
    statuses = client.statuses()
    for name in names & statuses.keys():
        for task in statuses[name]["status"]["tasks"]:
            if task["state"] == "FAILED":
                raise Refused(f"The connector {name} failed: {str(task.get('trace', ''))[:500]}")
    running = [
        name
        for name in names & statuses.keys()
        if (tasks := statuses[name]["status"]["tasks"]) and all(task["state"] == "RUNNING" for task in tasks)
    ]
    return len(running) == len(names)
