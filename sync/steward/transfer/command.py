"""The commands ``transfer …``: moving the records of merged units.

Exit codes: 0 done, or balanced; 1 refused, or nobody answers; 2 wrong usage; 3 not all is carried out (``status``).
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from sync.connect.telling import print_json, table, tell, told
from sync.errors import ConfigError
from sync.option import BOOTSTRAP, REGISTRY, Bootstrap, Json, RegistryUrl
from sync.steward.transfer import report as signing
from sync.steward.transfer import service
from sync.steward.transfer.execution import BATCH
from sync.steward.transfer.plan import Plan, read
from sync.steward.transfer.service import Place
from sync.steward.transfer.status import OUTCOMES

transfer = typer.Typer(no_args_is_help=True, help="Transfer of the records of merged units to their successors.")

PlanFile = Annotated[Path, typer.Argument(help="The plan's file.")]
KeyFile = Annotated[
    Path,
    typer.Option("--key-file", envvar="DONGBO_TRANSFER_KEY_FILE", help="File with the signing key, 32 bytes or more."),
]
By = Annotated[str, typer.Option("--by", envvar="DONGBO_STEWARD", help="Who does it; the machine's user by default.")]
Batch = Annotated[int, typer.Option(min=1, help="Events a transaction.")]

UNBALANCED = 3


@transfer.command("plan")
def plan_transfer(
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    out: Annotated[Path, typer.Option("--out", help="The plan's file, made anew.")],
    mapping: Annotated[
        Path | None,
        typer.Option(
            help="CSV of mergers: old,new,effective_date and optionally subunits; the reference tables by default."
        ),
    ] = None,
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    as_json: Json = False,
) -> None:
    """Find the golden records that hold ended units, and write what is to be done with them. Changes nothing."""
    with told():
        made = service.plan(Place(bootstrap, registry_url), dataset, mapping)
        made.write(out)
    if as_json:
        rows = [{**row.move._asdict(), "count": len(row.records)} for row in made.rows]
        return print_json({"plan": made.id, "hash": made.hash, "records": len(made.moves), "rows": rows})
    tell(f"plan {made.id} for {dataset}: {len(made.moves)} records, in force from {made.effective_date or '-'}")
    return table(
        ("field", "old", "new", "records", "candidates"), [_planned(made, number) for number in range(len(made.rows))]
    )


def _planned(made: Plan, number: int) -> list[str]:
    move, records = made.rows[number].move, made.rows[number].records
    new = f"{move.new or '?'} (waits in review)" if move.waits else move.new or ""
    return [move.field, move.old, new, str(len(records)), " ".join(move.candidates)]


class _Events(Protocol):
    """Writes a plan's events; yields the number of each transaction."""

    def __call__(self, at: Place, made: Plan, *, by: str, batch: int) -> Iterator[int]: ...


def _add(name: str, text: str, events: _Events) -> None:
    """Register a command that writes events for each record of a plan: all of them have the same options."""

    @transfer.command(name, help=text)
    def command(
        plan: PlanFile,
        by: By = "",
        batch: Batch = BATCH,
        bootstrap: Bootstrap = BOOTSTRAP,
        registry_url: RegistryUrl = REGISTRY,
    ) -> None:
        with told():
            made = read(plan)
            written = sum(events(Place(bootstrap, registry_url), made, by=by or getpass.getuser(), batch=batch))
        tell(
            f"plan {made.id}: {written} events written; `dongbo transfer status` tells what the reconciler made of them"
        )


_add("apply", "Carry a plan out; started again after any end, it goes on where it was.", service.apply)
_add(
    "undo",
    "Take a plan back: each record is again what its sources say. Goes on where it was, as apply.",
    service.undo,
)


@transfer.command()
def status(
    plan: PlanFile,
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    as_json: Json = False,
) -> None:
    """Tell what became of each planned record, by old and new unit; exit code 3 unless all of it is carried out."""
    with told():
        found = service.standing(Place(bootstrap, registry_url), read(plan))
    if as_json:
        print_json(found)
    else:
        _tell(found)
    if not found["balanced"]:
        raise typer.Exit(UNBALANCED)


def _tell(found: dict[str, Any]) -> None:
    shown = [name for name in OUTCOMES if found["totals"][name]]
    heads = ("field", "old", "new", "planned", *shown)
    rows = [
        [row["field"], row["old"], row["new"] or "?"] + [str(row[head]) for head in heads[3:]] for row in found["rows"]
    ]
    table(heads, [*rows, ["", "", "", *(str(found["totals"][head]) for head in heads[3:])]])
    tell(
        f"plan {found['plan']}: " + ("carried out, the counts balance" if found["balanced"] else "not carried out yet")
    )


@transfer.command()
def report(
    plan: PlanFile,
    out: Annotated[Path, typer.Option("--out", help="The report's file.")],
    key_file: KeyFile,
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
) -> None:
    """Write the status as a signed report, without any record; exit code 3 where it does not balance yet."""
    with told():
        key = signing.read_key(key_file)
        found = service.standing(Place(bootstrap, registry_url), read(plan))
        _write(out, signing.sign(found, key))
    tell(f"plan {found['plan']}: report written, signed by {signing.ALGORITHM}")
    if not found["balanced"]:
        raise typer.Exit(UNBALANCED)


@transfer.command()
def verify(
    report: Annotated[Path, typer.Argument(help="The report's file.")],
    key_file: KeyFile,
) -> None:
    """Check a report's signature, and show it."""
    with told():
        key = signing.read_key(key_file)
        try:
            data = report.read_bytes()
        except OSError as error:
            raise ConfigError(f"{report.name} can't be read: {error.strerror}.", hint="name a report") from error
        found = signing.verify(data, key)
    _tell(found)
    tell("the signature is right")


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{path.name} can't be written: {error.strerror}.", hint="name another file") from error
