"""A new dataset's folder that passes every check, to be filled with what the dataset is about.

Called by ``dongbo dataset new``. The folder alone makes the dataset work; the entry in ``catalogue.yaml`` gives it an
owner. Nothing is overwritten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sync.errors import ConfigError
from sync.schema.catalogue import FILE as CATALOGUE

_DATE = {"type": "int", "logicalType": "date"}
_TIME = {"type": "long", "logicalType": "timestamp-micros"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The new dataset: its id, its key, its names and its owner, each in Vietnamese and English."""

    id: str
    key: tuple[str, ...]
    name: tuple[str, str]
    owner: tuple[str, str]


def scaffold(root: Path, wanted: Wanted) -> Path:
    """Write the folder and the catalogue's entry, and return the folder; ConfigError where one is there or no name."""
    folder = root / wanted.id
    for name in (wanted.id, *wanted.key):
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ConfigError(
                f"{name} is no name.",
                field=name,
                hint="Use lower-case letters, digits and underscores, a letter first.",
            )
    if folder.exists():
        raise ConfigError(f"There is a folder {wanted.id} already.", field=wanted.id, hint="Choose another name.")
    files = {
        "v1.avsc": _schema(wanted),
        "rules.yaml": _rules(wanted),
        "policy.yaml": _policy(wanted),
        "mapping/canonical.yaml": _MAPPING,
        "examples/records.yaml": _examples(wanted),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _list(root / CATALOGUE, wanted)
    return folder


def _fields(key: Sequence[str]) -> list[dict[str, Any]]:
    return [
        *(_field(name, "text(50)", "string", f"Khóa {name}", f"Key {name}", required=True, key=True) for name in key),
        _field("name", "text(255)", "string", "Tên", "Name", required=True),
        _field("valid_from", "date", _DATE, "Có hiệu lực từ", "Valid from"),
        _field("valid_to", "date", _DATE, "Có hiệu lực đến", "Valid to"),
        _field(
            "source_updated_at",
            "datetime",
            _TIME,
            "Thời điểm cập nhật tại hệ thống nguồn",
            "Time of the last update at the source",
            required=True,
        ),
    ]


def _field(
    name: str, written: str, kind: Any, vi: str, en: str, *, required: bool = False, key: bool = False
) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": kind} if key else {"type": ["null", kind], "default": None}
    return {
        "name": name,
        **shape,
        "doc": f"{vi} — {en}",
        "doc.vi": vi,
        "doc.en": en,
        "dongbo.type": written,
        "dongbo.required": required,
        "dongbo.class": "none",
        "dongbo.catalogue": None,
        "dongbo.authority": "unit",
    }


def _schema(wanted: Wanted) -> str:
    record = "".join(part.capitalize() for part in wanted.id.split("_"))
    doc = json.dumps(f"{wanted.name[0]} — {wanted.name[1]}", ensure_ascii=False)
    lines = ",\n".join(f"    {json.dumps(field, ensure_ascii=False)}" for field in _fields(wanted.key))
    return (
        f'{{\n  "type": "record",\n  "name": "{record}",\n  "namespace": "dongbo.{wanted.id}",\n  "doc": {doc},\n'
        f'  "fields": [\n{lines}\n  ]\n}}\n'
    )


def _rule(wanted: Wanted) -> str:
    return f"{wanted.id.replace('_', '')[:4].upper()}01"


def _rules(wanted: Wanted) -> str:
    return f"""# Cleaning and rules (docs/rules.md); what a rule leaves out comes from schemas/common.yaml.
clean:
  - {{step: text, rule: VR10}}
  - {{step: date, rule: VR10}}
  - {{step: number, rule: VR10}}
  - {{step: enum, rule: VR10}}

rules:
  - {{id: VR29}}
  - id: {_rule(wanted)}
    severity: ERROR
    criterion: consistency
    fields: [valid_from, valid_to]
    expression: valid_from <= valid_to
    message:
      vi: Ngày hết hiệu lực không trước ngày có hiệu lực.
      en: The validity cannot end before it begins.
"""


def _policy(wanted: Wanted) -> str:
    return f"""# Who owns which field, and who gets the golden records (schemas/README.md).
entity: [{", ".join(wanted.key)}]
register: null
match: null
distribution: centre
locality: null
groups:
  - name: record
    fields: [name, valid_from, valid_to]
    order: [ministry, locality]
    atomic: true
  - name: updated
    fields: [source_updated_at]
    max: true
"""


_MAPPING = """# Tables that already have the dataset's own columns and types: the return tables that the sinks write.
date_format: iso
encoding_hint: null
fields: same
"""


def _examples(wanted: Wanted) -> str:
    keys = "".join(f"      {name}: A-1\n" for name in wanted.key)
    return f"""# Records that pass, and records that are found fault with, as of this day (`dongbo dataset check`).
today: 2026-11-22
pass:
  - name: a record in force
    record:
{keys}      name: Thử nghiệm
      valid_from: "2026-01-01"
      source_updated_at: "2026-11-01T08:00:00Z"
fail:
  - name: ends before it begins
    with: {{valid_to: "2025-01-01"}}
    rules: [{_rule(wanted)}]
"""


def _list(path: Path, wanted: Wanted) -> None:
    """Append the entry to the section ``additional``, the last of the file."""
    text = path.read_text(encoding="utf-8")
    section = "" if "additional" in yaml.safe_load(text) else "\n# What is synchronised besides.\nadditional:\n"
    named = {"vi": wanted.name[0], "en": wanted.name[1]}
    owner = {"vi": wanted.owner[0], "en": wanted.owner[1]}
    entry = {
        "id": wanted.id,
        "name": named,
        "owner": owner,
        "entity": named,
        "key": list(wanted.key),
        "class": "specialised",
        "sensitivity": "none",
        "dataset": wanted.id,
    }
    lines = [f"    {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
    lines[0] = f"  - {lines[0].strip()}"
    path.write_text(text.rstrip("\n") + "\n" + section + "\n".join(lines) + "\n", encoding="utf-8")
