"""Ends the parts of a stack when the process that owns it has ended: ``python -m sync.embedded.watchdog DIR``.

Started by a ``Stack`` of lifetime "parent". Its standard input is a pipe whose other end only the owner holds, so
that the end of the owner, by SIGKILL too, is the end of the file: no polling, no signals, any platform. An orderly
``Stack.down`` closes the pipe after the parts have ended, and there is nothing left to kill.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from sync.embedded.process import kill, load

_STRAGGLER_SECONDS = 0.5
"""How long a part that was being launched when the owner died may take to notice and end by itself."""


def main(directory: Path) -> None:
    """Wait for the end of standard input, then kill every process named in ``directory``/*.json but this one."""
    while os.read(0, 4096):
        pass
    end(directory)
    time.sleep(_STRAGGLER_SECONDS)
    end(directory)


def end(directory: Path) -> None:
    """Kill the processes named in ``directory`` and remove their names."""
    for path in sorted(directory.glob("*.json")):
        child = load(path)
        if child is not None and child.pid != os.getpid():
            kill(child)
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
