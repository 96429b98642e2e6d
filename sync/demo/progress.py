"""What a person sees while the demo runs: stages, rows per second, lag and latency, on a terminal or as plain lines.

Called by ``sync.demo.command``. Numbers come from the ledger and the target databases; nothing here decides anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from sync.demo.tally import ENDS, Counts

PLAIN_SECONDS = 5.0
"""How often a line is printed where there is no terminal."""


@dataclass
class Board:
    """The state of the display. ``total``: changes that will be captured in this phase, where it is known."""

    console: Console
    phase: str = ""
    detail: str = ""
    total: int = 0
    counts: Counts = field(default_factory=Counts)
    centre: int = 0
    latency: str = ""
    _live: Live | None = None
    _since: float = 0.0
    _printed: float = 0.0
    _start: tuple[float, int] = (0.0, 0)

    @contextmanager
    def shown(self) -> Iterator[Board]:
        """Show the board until the end of the block."""
        self._since = time.monotonic()
        if not self.console.is_terminal:
            yield self
            return
        with Live(self._view(), console=self.console, refresh_per_second=4, transient=True) as live:
            self._live = live
            try:
                yield self
            finally:
                self._live = None

    def begin(self, phase: str, total: int = 0) -> None:
        """A new phase starts; ``total`` changes are expected in it."""
        self.phase, self.detail, self.total = phase, "", total
        self._start = (time.monotonic(), self._ended)
        self.console.print(f"[dim]{time.monotonic() - self._since:6.1f} s[/dim]  {phase}", highlight=False)
        self.update()

    def update(self, detail: str = "") -> None:
        """Show what is known now."""
        self.detail = detail or self.detail
        if self._live is not None:
            self._live.update(self._view())
        elif time.monotonic() - self._printed > PLAIN_SECONDS:
            self._printed = time.monotonic()
            self.console.print(f"          {self._line()}", highlight=False)

    @property
    def _ended(self) -> int:
        return sum(self.counts.total(outcome) for outcome in ENDS)

    @property
    def rate(self) -> float:
        """Changes that reached their end per second since the phase began."""
        began, before = self._start
        return (self._ended - before) / max(time.monotonic() - began, 0.001)

    def _line(self) -> str:
        lag = self.counts.total("captured") - self._ended
        parts = [
            f"captured {self.counts.total('captured'):,}",
            f"through {self._ended:,}",
            f"lag {lag:,}",
            f"centre {self.centre:,}",
            f"{self.rate:,.0f} rows/s",
        ]
        return " · ".join([self.detail, *parts] if self.detail else parts)

    def _view(self) -> Group:
        table = Table.grid(padding=(0, 2))
        captured = self.counts.total("captured")
        table.add_row("captured", f"{captured:,}", _bar(captured, self.total))
        table.add_row("through", f"{self._ended:,}", _bar(self._ended, self.total))
        for outcome in ENDS:
            table.add_row(f"  {outcome}", f"{self.counts.total(outcome):,}", "")
        table.add_row("lag", f"{captured - self._ended:,}", "changes between capture and their end")
        table.add_row("centre", f"{self.centre:,}", "golden records of people")
        table.add_row("rate", f"{self.rate:,.0f}", "rows/s")
        if self.latency:
            table.add_row("latency", self.latency, "commit at the source → commit at the centre")
        return Group(Spinner("dots", Text(f"{self.phase}  {self.detail}")), table)


def _bar(done: int, total: int, width: int = 30) -> str:
    if not total:
        return ""
    filled = min(width, done * width // total)
    return f"{'━' * filled}{'╌' * (width - filled)} {min(100, done * 100 // total)} %"
