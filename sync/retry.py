"""How long a passing failure is tried again in place, before it ends the task: ``errors.retry.*`` (KIP-298).

Called by tasks. What has not passed by then is the supervisor's business: it starts the task again.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sync.errors import Unavailable

_FIRST = 0.3
"""The first pause, s, as Connect's (``RetryWithToleranceOperator.RETRIES_DELAY_MIN_MS``)."""


@dataclass(frozen=True, slots=True)
class Retries:
    """Times in seconds: ``timeout`` for all attempts together, 0 for one attempt; ``longest`` between two."""

    timeout: float = 0.0
    longest: float = 60.0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Retries:
        """Read typed configuration values; what is not there has its default."""
        timeout = int(values.get("errors.retry.timeout", 0))
        return cls(
            math.inf if timeout < 0 else timeout / 1000, int(values.get("errors.retry.delay.max.ms", 60_000)) / 1000
        )

    def pauses(
        self, clock: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random
    ) -> Iterator[float]:
        """The pause after each failed attempt, until the time is over: doubling, then up to ``longest`` by chance
        (Connect's ``RetryWithToleranceOperator.backoff``)."""
        deadline, pause = clock() + self.timeout, _FIRST
        while (left := deadline - clock()) > 0:
            yield min(pause if pause <= self.longest else self.longest * chance(), left)
            pause = min(2 * pause, 2 * self.longest + _FIRST)


def until(stop: threading.Event) -> Callable[[float], None]:
    """What waits so many seconds, and raises Unavailable once the task is to stop."""

    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise Unavailable("The task is to stop; what did not answer is not asked again.")

    return pause
