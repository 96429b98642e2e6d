"""Sink connectors, one module or package a kind, found by discovery: a new kind is one new folder here.

Called by the worker and the REST API. A kind's module exports ``PLUGIN``.
"""

from __future__ import annotations

import importlib
import pkgutil

from sync.ports import Plugin


def plugins() -> list[Plugin]:
    """Every sink kind of this package, in the order of their modules' names."""
    found: list[Plugin] = []
    for info in pkgutil.iter_modules(__path__):
        plugin = getattr(importlib.import_module(f"{__name__}.{info.name}"), "PLUGIN", None)
        if plugin is not None:
            found.append(plugin)
    return found
