"""The commands ``rule …``: what a data steward reads, checks and tries before rules go to the processors.

Nothing here needs a server. Exit codes: 0 fine; 1 a mistake, or records that break rules (``test``); 2 wrong usage.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from sync.connect.telling import cell, print_json, table, tell, told
from sync.errors import ConfigError
from sync.rule.batch import Terms
from sync.rule.cleaning import clean
from sync.rule.condition import broken, findings
from sync.rule.expression.function import FUNCTIONS
from sync.rule.model import Cleaned, RuleSpec
from sync.schema.dataset import Dataset, datasets, load, with_rules
from sync.schema.reference import load_reference

rule = typer.Typer(no_args_is_help=True, help="Rules of datasets: read, check and try them.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
DatasetId = Annotated[str, typer.Argument(help="The dataset.")]
Rules = Annotated[Path | None, typer.Option("--rules", help="A rules.yaml to read in place of the installed one.")]
Today = Annotated[
    datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="Day of judgement; today by default.")
]


def _dataset(dataset: str, rules: Path | None) -> Dataset:
    found = load(dataset)
    return found if rules is None else with_rules(found, rules)


def _told(dataset: Dataset, spec: RuleSpec) -> dict[str, Any]:
    return {
        "dataset": dataset.id,
        "rule": dataset.rules.labels[spec.id],
        "severity": spec.severity,
        "criterion": spec.criterion,
        "fields": list(spec.fields),
        "expression": spec.expression,
        "set": {one.field: one.text for one in spec.sets} or None,
        "check": spec.function or None,
        "basis": spec.basis or None,
        "valid_from": None if spec.valid_from is None else spec.valid_from.isoformat(),
        "valid_to": None if spec.valid_to is None else spec.valid_to.isoformat(),
        "as_of": spec.as_of,
        "message_vi": spec.message_vi,
        "message_en": spec.message_en,
    }


@rule.command("list")
def list_rules(dataset: DatasetId, rules: Rules = None, as_json: Json = False) -> None:
    """List a dataset's rules in the order in which they are told."""
    with told():
        found = _dataset(dataset, rules)
    rows = [_told(found, spec) for spec in found.rules.rules]
    if as_json:
        return print_json(rows)
    heads = ("rule", "severity", "criterion", "fields", "says")
    return table(
        heads,
        [[row["rule"], row["severity"], row["criterion"] or "", " ".join(row["fields"]), _says(row)] for row in rows],
    )


def _says(row: dict[str, Any]) -> str:
    if row["expression"]:
        sets = "".join(f"; else {field} := {text}" for field, text in (row["set"] or {}).items())
        return " ".join(f"{row['expression']}{sets}".split())
    return f"check {row['check']}" if row["check"] else "found by cleaning or reconciling"


@rule.command()
def show(
    dataset: DatasetId, id: Annotated[str, typer.Argument(help="The rule's id: VR16.")], as_json: Json = False
) -> None:
    """Show a rule: what it says, why, and what owners are told."""
    with told():
        found = load(dataset)
        specs = [spec for spec in found.rules.rules if spec.id == id.partition("@")[0]]
        if not specs:
            known = ", ".join(found.rules.by_id)
            raise ConfigError(f"{dataset} has no rule {id}.", hint=f"use one of {known}")
    rows = [_told(found, spec) for spec in specs]
    if as_json:
        return print_json(rows)
    for row in rows:
        table(
            ("", row["rule"]),
            [(name, " ".join(cell(value).split())) for name, value in row.items() if value and name != "rule"],
        )
    return None


@rule.command()
def check(
    dataset: Annotated[str | None, typer.Argument(help="The dataset; all by default.")] = None,
    rules: Rules = None,
    as_json: Json = False,
) -> None:
    """Check rules wholly: syntax, types, functions, reference tables and what is in them."""
    mistakes = []
    reference = load_reference()
    chosen = datasets() if dataset is None else (dataset,)
    for name in chosen:
        try:
            found = _dataset(name, rules)
            terms = Terms({field.name: field for field in found.fields}, found.rules, reference, date.today())
            for spec in found.rules.rules:
                list(findings(terms, spec))
                if spec.relations and spec.condition is not None:
                    broken(terms, spec, spec.condition)
        except ConfigError as error:
            mistakes.append({"dataset": name, "mistake": str(error)})
    if as_json:
        print_json(mistakes)
    else:
        for mistake in mistakes:
            tell(f"{mistake['dataset']}: {mistake['mistake']}")
        tell(f"{len(chosen) - len(mistakes)} of {len(chosen)} datasets have rules without a mistake.")
    if mistakes:
        raise typer.Exit(1)


@rule.command("test")
def try_out(
    dataset: DatasetId,
    records: Annotated[Path, typer.Argument(help="JSON: a list of records, or one a line; canonical field names.")],
    rules: Rules = None,
    on: Today = None,
    as_json: Json = False,
) -> None:
    """Judge records of a file by the rules; exit code 1 where one would be refused or reviewed."""
    with told():
        found = _dataset(dataset, rules)
        given = _records(records, found)
        day = date.today() if on is None else on.date()
        cleaned = clean(given, found.fields, found.rules, load_reference(), day)
    rows = _findings(cleaned, found)
    if as_json:
        print_json(rows)
    else:
        table(
            ("record", "rule", "kind", "field", "message"),
            [[str(row["record"]), row["rule"], row["kind"], row["field"], row["message_vi"]] for row in rows],
        )
    if any(row["kind"] in ("ERROR", "REVIEW") for row in rows):
        raise typer.Exit(1)


def _records(path: Path, dataset: Dataset) -> pl.DataFrame:
    """The records of a file as columns of text; ConfigError where it can't be read, or has other fields."""
    try:
        text = path.read_text(encoding="utf-8")
        read = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(line) for line in text.splitlines() if line.strip()]
        )
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path.name}: can't be read as JSON.", hint="write a list of records, or one a line"
        ) from error
    names = {field.name for field in dataset.fields}
    for number, record in enumerate(read, 1):
        unknown = sorted(set(record) - names) if isinstance(record, dict) else ["(no record)"]
        if unknown:
            raise ConfigError(
                f"{path.name}: record {number} has no field {unknown[0]}.", hint=f"use fields of {dataset.id}"
            )
    given = [name for name in (field.name for field in dataset.fields) if any(name in record for record in read)]
    columns = {name: [_text(record.get(name)) for record in read] for name in given}
    return pl.DataFrame(columns, schema=dict.fromkeys(given, pl.String))


def _text(value: Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _findings(cleaned: Cleaned, dataset: Dataset) -> list[dict[str, Any]]:
    """Fixes and violations by record, numbered from 1; no value of a record."""
    fixes = cleaned.fixes.select("row", "field", "rule", severity=pl.lit("FIX"))
    rows = [*fixes.iter_rows(), *cleaned.violations.select("row", "field", "rule", "severity").iter_rows()]
    labels, by_id = dataset.rules.labels, dataset.rules.by_id
    return [
        {
            "record": row + 1,
            "rule": labels.get(name, name),
            "kind": kind,
            "field": field,
            "message_vi": by_id[name].message_vi if name in by_id else "",
            "message_en": by_id[name].message_en if name in by_id else "",
        }
        for row, field, name, kind in sorted(rows)
    ]


@rule.command()
def functions(as_json: Json = False) -> None:
    """List the functions that expressions may call."""
    rows = [{"function": function.signature, "meaning": function.doc} for function in FUNCTIONS.values()]
    if as_json:
        return print_json(rows)
    return table(("function", "meaning"), [[row["function"], row["meaning"]] for row in rows])
