"""The script: every endpoint, good requests and bad ones, in the order in which a connector lives.

A connector that only has to be there is STOPPED.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.differential.rest import connector_script, offset_script, plugin_script, worker_script
from tests.differential.rest.place import Places
from tests.differential.rest.step import Step


def script(places: Places) -> Iterator[Step]:
    """Every step, in order."""
    yield from worker_script.worker()
    yield from worker_script.nobody()
    yield from worker_script.unreadable()
    yield from plugin_script.plugins(places)
    yield from plugin_script.invalid(places)
    yield from connector_script.names(places)
    yield from connector_script.life(places)
    yield from connector_script.configuration(places)
    yield from offset_script.source_offsets(places)
    yield from offset_script.sink(places)
    yield from worker_script.loggers()
