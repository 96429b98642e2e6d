"""The reference page of a dataset, in Markdown: fields, rules, policy, owner, from its files alone.

Called by ``dongbo dataset docs`` and by ``docs/generate.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sync.rule.model import Policy, RuleSpec
from sync.schema.catalogue import Database, entries
from sync.schema.dataset import Dataset, datasets, load

MADE = "<!-- Made of schemas/ by `make docs`: change the dataset's files. -->"


def page(name: str) -> str:
    """The page of one dataset; ConfigError where its files have a mistake."""
    dataset = load(name)
    entry = next((one for one in entries() if one.dataset == name), None)
    parts = [f"# `{name}`", MADE, *_about(dataset, entry), "## Fields", _fields(dataset), "## Rules", _rules(dataset)]
    parts += ["## Policy", *_policy(dataset.policy)]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """The list of all datasets."""
    rows = [
        (f"[{one.dataset}]({one.dataset}.md)", one.name.vi, one.name.en, one.owner.vi, one.sensitivity)
        for one in entries()
        if one.dataset
    ]
    heads = ("dataset", "tên", "name", "owner", "personal data")
    return "\n\n".join(["# Datasets", MADE, _table(heads, rows)]) + "\n"


def names() -> Sequence[str]:
    """The datasets that have a page."""
    return datasets()


def _about(dataset: Dataset, entry: Database | None) -> list[str]:
    found = [str(dataset.schema["doc"])]
    if entry is not None:
        inferred = " (inferred)" if entry.inferred else ""
        rows = [
            ("database", f"{entry.name.vi} — {entry.name.en}"),
            ("owner", f"{entry.owner.vi} — {entry.owner.en}{inferred}"),
            ("entity", f"{entry.entity.vi} — {entry.entity.en}"),
            ("personal data", entry.sensitivity),
        ]
        rows += [("child of", f"[{entry.parent}]({entry.parent}.md)")] if entry.parent else []
    else:
        rows = []
    rows += [
        ("key", ", ".join(dataset.key)),
        ("schema", f"v{dataset.version}"),
        ("mappings", ", ".join(sorted(dataset.mappings))),
    ]
    return [*found, _table(("", ""), rows)]


def _fields(dataset: Dataset) -> str:
    rows = [
        (
            f"`{field['name']}`",
            field["dongbo.type"],
            "yes" if field["dongbo.required"] else "",
            field["dongbo.class"],
            _codes(field) or (field.get("dongbo.catalogue") or ""),
            field["doc.vi"],
            field["doc.en"],
        )
        for field in dataset.schema["fields"]
    ]
    return _table(("field", "type", "required", "class", "codes or catalogue", "tiếng Việt", "English"), rows)


def _codes(field: dict[str, Any]) -> str:
    return "; ".join(f"{code}: {meaning}" for code, meaning in field.get("dongbo.values", {}).items())


def _rules(dataset: Dataset) -> str:
    rows = [
        (
            f"{rule.id}@{rule.version}",
            rule.severity,
            rule.criterion or "",
            f"`{rule.expression}`" if rule.expression else ", ".join(rule.fields),
            rule.basis,
            rule.message_vi,
            rule.message_en,
        )
        for rule in dataset.rules.rules
        if _own(rule)
    ]
    return _table(("rule", "severity", "criterion", "must hold, or fields", "basis", "thông báo", "message"), rows)


def _own(rule: RuleSpec) -> bool:
    """Whether it checks something itself: what cleaning alone reports is the same in every dataset."""
    return rule.condition is not None or bool(rule.function)


def _policy(policy: Policy) -> list[str]:
    who: str = policy.distribution
    if policy.locality is not None:
        who += f": `{policy.locality.field}` via {policy.locality.via}"
    matched = f" Matched with `{policy.register}`." if policy.register else ""
    rows = [
        (
            group.name,
            ", ".join(group.fields),
            "the greatest value" if group.max else " > ".join(group.order),
            f"newest {group.latest}" if group.latest else "",
            "as a whole" if group.atomic else "field by field",
        )
        for group in policy.groups
    ]
    return [f"Distribution {who}.{matched}", _table(("group", "fields", "order", "first", "merged"), rows)]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines)


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
