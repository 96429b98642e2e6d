"""Replica identities in the configuration."""

from __future__ import annotations

import pytest

from sync.record import TableId
from sync.source.postgresql import replica
from sync.source.postgresql.table import Identity


def test_the_first_rule_that_matches_a_table_counts() -> None:
    identities = replica.read(r"public\.a:full, public\.(a|b):INDEX Chi_so ,Khac\..*:nothing")
    a, b, c = (identities.of(TableId(*name.split("."))) for name in ("public.a", "public.b", "khac.c"))
    assert a is not None
    assert b is not None
    assert c is not None
    assert (a.identity, a.index) == (Identity.FULL, None)
    assert (b.identity, b.index) == (Identity.INDEX, "Chi_so")
    assert c.identity is Identity.NOTHING
    assert identities.of(TableId("public", "c")) is None


@pytest.mark.parametrize("text", ["public.a", "public.a:ALL", "public.a:INDEX", "(:FULL"])
def test_what_is_no_identity_names_the_key(text: str) -> None:
    [key] = replica.KEYS
    assert key.validator is not None
    assert replica.NAME in (key.validator(replica.NAME, text) or "")
