"""Waits in tests: for a condition, never for a time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

_LOOK = 0.02

START = 120.0
"""Seconds after which a process that was started must answer: loading Python alone takes most of a minute on a machine
that runs many tests at once."""


def eventually(condition: Callable[[], bool], within: float = 30.0, look: float = _LOOK) -> bool:
    """Ask again and again whether ``condition`` holds; False after ``within`` seconds, which only end a vain wait.

    ``look``: seconds between questions, more where a question is dear.
    """
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(look)
    return True


def meanwhile(process: subprocess.Popen[bytes], condition: Callable[[], bool], within: float = 60.0) -> bool:
    """As ``eventually``; AssertionError where ``process`` ends before ``condition`` holds."""

    def holds() -> bool:
        assert process.poll() is None, f"the process ended with {process.returncode}"
        return condition()

    return eventually(holds, within)
