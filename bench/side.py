"""What a trial needs to know of a variant, ours or the peer's."""

from __future__ import annotations

from typing import Protocol

from bench.program import Programs


class Side(Protocol):
    """One variant: which databases it has, how it is started. Made anew for every trial."""

    name: str
    databases: tuple[str, ...]
    """All of its databases; created empty before ``start``."""
    source: str
    """The database with the captured table."""
    target: str
    target_table: str
    """The database and table (``schema.table``) that its sink creates and writes."""
    adds_synced_at: bool
    """Whether the target's column ``synced_at`` has to be added by hand."""
    url: str
    """Its REST API."""
    programs: Programs

    def start(self) -> None:
        """Start the processes and the connectors; returns when they run. Raises SyncError."""

    def configs(self) -> dict[str, dict[str, str]]:
        """The connectors' configurations by name."""
