"""Where the declarative files are: ``schemas/`` of the checkout, or the copy inside an installed wheel.

Called by ``sync.schema.dataset``, ``sync.schema.catalogue`` and ``sync.schema.reference``.
"""

from __future__ import annotations

import os
from pathlib import Path

import sync
from sync.errors import ConfigError

ENVIRONMENT = "DONGBO_SCHEMAS"


def schemas_root() -> Path:
    """The folder of the datasets: ``DONGBO_SCHEMAS`` if set, else the wheel's copy, else the checkout's ``schemas``.

    ConfigError where there is none.
    """
    given = os.environ.get(ENVIRONMENT)
    package = Path(sync.__file__).parent
    places = [Path(given)] if given else [package / "_share" / "schemas", package.parent / "schemas"]
    for place in places:
        if (place / "catalogue.yaml").is_file():
            return place
    raise ConfigError(
        f"No catalogue.yaml in {' or '.join(str(place) for place in places)}.",
        field=ENVIRONMENT,
        hint=f"Set {ENVIRONMENT} to a folder of datasets, or install the package again.",
    )
