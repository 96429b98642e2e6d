"""Sources: each module or package here that exports ``PLUGIN`` is a connector kind."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from sync.ports import Plugin


def plugins() -> list[Plugin]:
    """Return the source connector kinds, by module name."""
    modules = (import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return [module.PLUGIN for module in modules if hasattr(module, "PLUGIN")]
