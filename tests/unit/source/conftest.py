"""Fixtures of all tests of sources."""

from __future__ import annotations

import pytest

from sync.source.postgresql import kernel


@pytest.fixture(autouse=True, scope="session")
def compiled() -> None:
    """Let no example of a property wait for the compiler."""
    kernel.prepare()
