"""The Faust apps of the bulk processors: each agent is a few lines, its work a step in a module of its own.

Called by ``sync.pipeline`` (``dongbo process validate|reconcile``). The apps run without Faust's own Kafka client: the
bridge's librdkafka consumer and transactional producer do the reading and writing.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterable, Callable
from pathlib import Path
from typing import Any, NoReturn

import faust
from faust.app.base import BootStrategy

from sync import garbage
from sync.process.bridge import BATCH, Batch, Bridge, Step
from sync.process.state import StateStore

log = logging.getLogger(__name__)


class _Boot(BootStrategy):
    enable_kafka = False


class BulkApp(faust.App):
    """A Faust app whose records come over channels."""

    BootStrategy = _Boot


def bulk_app(
    step: Step,
    store: StateStore,
    *,
    bootstrap: str,
    group: str,
    instance: str,
    data_dir: Path,
    size: int = BATCH,
    ended: Callable[[str, int], None] | None = None,
) -> BulkApp:
    """An app with one agent: ``step`` on the micro-batches of its topics.

    ``group`` is the consumer group, ``instance`` this worker's stable name in it: a restarted instance fences its
    predecessor at once. ``size``: the records of a batch at most. ``ended``: see ``Bridge``. The process
    ends with exit code 1 after an error that can't be retried.
    """
    folder = data_dir / "faust"
    folder.mkdir(parents=True, exist_ok=True)
    app = BulkApp(
        f"{group}-{instance}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=str(folder),
        web_enabled=False,
        agent_supervisor="mode.supervisors.CrashingSupervisor",
    )
    bridge = Bridge(
        app, step, store, bootstrap=bootstrap, group=group, instance=instance, size=size, ended=ended, fatal=_end
    )

    @app.agent(bridge.channel, name=step.name)
    async def work(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            async with batch:
                batch.output = await batch.run(step.process)

    app.service(_service(bridge))
    return app


def _service(bridge: Bridge) -> Any:
    """Faust makes services itself, from a class: give it one that hands out ours."""

    class Feed(faust.Service):
        async def on_start(self) -> None:
            await self.add_runtime_dependency(bridge)

    return Feed


def _end(error: BaseException) -> None:
    log.error("the processor ends: %s: %s", type(error).__name__, error)
    os.environ["DONGBO_EXIT"] = "1"
    os.kill(os.getpid(), signal.SIGTERM)


def run(app: faust.App) -> NoReturn:
    """Run an app until SIGTERM or SIGINT, then end the process: exit code 1 after an error that can't be retried.

    Ends it without waiting for threads: those of Faust's own Kafka client may never end (mode-streaming 0.7), and there
    is nothing left to do once the app has stopped.
    """
    garbage.spare()
    worker = faust.Worker(app, loglevel="WARN", redirect_stdouts=False, override_logging=False, quiet=True)
    code: Any = 0
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        log.exception("the app %s broke off", app.conf.id)
        code = 1
    logging.shutdown()
    os._exit(int(os.environ.get("DONGBO_EXIT", code or 0)))
