"""Whether the newest version of a dataset's schema reads all that was written with the earlier ones."""

from __future__ import annotations

import json
from pathlib import Path

from sync.embedded.avro_schema import InvalidSchema, parse
from sync.embedded.compatibility import mismatches
from sync.schema.dataset import read_schema, versions
from sync.schema.inspection import Mistake

_HEAD = 6

_REMEDY = (
    "Keep what was written readable: new fields nullable with default null, no field's type changed or key touched."
)


def breaks(root: Path, dataset: str) -> list[Mistake]:
    """How versions break compatibility with any earlier one (backward transitive); ConfigError for a bad schema."""
    schemas = {number: read_schema(root, dataset, number).value for number in versions(root, dataset)}
    parsed, found = {}, []
    for number, schema in schemas.items():
        try:
            parsed[number] = parse(json.dumps(schema))
        except InvalidSchema as error:
            message = f"is no Avro schema ({error})."
            found.append(Mistake(f"{dataset}/v{number}.avsc", 1, message, "Correct it after the Avro specification."))
    if found:
        return found
    for new in schemas:
        for old in (number for number in schemas if number < new):
            for mismatch in mismatches(parsed[new], parsed[old]):
                message = f"cannot read what v{old} wrote: {mismatch.describe(f'v{new}', f'v{old}')}"
                found.append(Mistake(f"{dataset}/v{new}.avsc", _line(mismatch.path), message, _REMEDY))
    return found


def _line(path: str) -> int:
    """The line of the field that a JSON pointer names: each stands in a line of its own after the schema's head."""
    parts = path.split("/")
    return _HEAD + 1 + int(parts[2]) if len(parts) > 2 and parts[1] == "fields" else 1
