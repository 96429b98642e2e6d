"""The commands ``review …``: a data steward's work at the terminal, over the same service as the REST API.

Exit codes: 0 done; 1 refused, or nobody answers; 2 wrong usage. Who decides is the user of the machine unless ``--by``
says otherwise.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from sync.connect.telling import cell, print_json, table, tell, told
from sync.errors import ConfigError
from sync.option import BOOTSTRAP, REGISTRY, Bootstrap, Json, LogLevel, RegistryUrl, log_at
from sync.steward.rest import serve as run_server
from sync.steward.review import Review, Verdict

review = typer.Typer(no_args_is_help=True, help="Cases that a data steward decides.")

DatasetId = Annotated[str, typer.Argument(help="The dataset.")]
CaseId = Annotated[str, typer.Argument(help="The case's id, from list.")]
By = Annotated[str, typer.Option("--by", envvar="DONGBO_STEWARD", help="Who decides; the machine's user by default.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for the owner of the row and for later.")]

_SHOWN = (
    "source",
    "row",
    "entity",
    "locality",
    "stage",
    "code",
    "message_vi",
    "message_en",
    "opened_at",
    "assignee",
)


@contextmanager
def _service(bootstrap: str, registry_url: str) -> Iterator[Review]:
    with told():
        service = Review(bootstrap, registry_url)
        try:
            yield service
        finally:
            service.close()


@review.command("list")
def list_cases(
    dataset: DatasetId,
    code: Annotated[str | None, typer.Option(help="Only cases with this reason.")] = None,
    source: Annotated[str | None, typer.Option(help="Only rows of this source.")] = None,
    locality: Annotated[str | None, typer.Option(help="Only rows of this province's source.")] = None,
    assignee: Annotated[str | None, typer.Option(help="Only cases of this person.")] = None,
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    as_json: Json = False,
) -> None:
    """List the open cases, oldest first."""
    with _service(bootstrap, registry_url) as service:
        found = service.cases(dataset, code=code, source=source, locality=locality, assignee=assignee)
    if as_json:
        return print_json(found)
    heads = ("id", "opened_at", "code", "source", "row", "assignee")
    return table(heads, [[cell(case[head]) for head in heads] for case in found])


@review.command()
def show(
    dataset: DatasetId,
    case: CaseId,
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    as_json: Json = False,
) -> None:
    """Show a case: why it is open, what is proposed, what was decided about its row before."""
    with _service(bootstrap, registry_url) as service:
        found = service.case(dataset, case)
    if as_json:
        return print_json(found)
    table(("", "case"), [(name, cell(found[name])) for name in _SHOWN])
    if found["record"]:
        tell("record:")
        table(("field", "value"), [(name, value) for name, value in found["record"].items() if value])
    for name in ("reasons", "mismatches", "proposals", "candidates", "decisions"):
        if found[name]:
            heads = list(dict.fromkeys(key for item in found[name] for key in item if item[key]))
            tell(f"{name}:")
            table(heads, [[cell(item.get(head)) for head in heads] for item in found[name]])
    return None


@review.command()
def resolve(
    dataset: DatasetId,
    case: CaseId,
    action: Annotated[
        str,
        typer.Argument(
            help="accept (take the row as it is), reject (refuse it), set (take it with other values), "
            "choose (take it as a candidate's), merge (two numbers are one person's)."
        ),
    ],
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="With set: field=value; may be repeated. With merge: the key field=the right number."
        ),
    ] = None,
    candidate: Annotated[str | None, typer.Option(help="With choose: the candidate's id, from show.")] = None,
    why: Why = "",
    by: By = "",
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    as_json: Json = False,
) -> None:
    """Decide a case; prints the decision's id, by which it can be undone."""
    with _service(bootstrap, registry_url) as service:
        changes = _changes(values or [])
        verdict = Verdict(action, by or getpass.getuser(), why, changes, candidate=candidate)
        _tell(service.resolve(dataset, case, verdict), as_json=as_json)


def _changes(values: list[str]) -> dict[str, str]:
    changes = {}
    for given in values:
        name, mark, value = given.partition("=")
        if not mark:
            raise ConfigError(f"--set {name}: there is no value.", hint="write --set field=value")
        changes[name.strip()] = value
    return changes


@review.command()
def assign(
    dataset: DatasetId,
    case: CaseId,
    assignee: Annotated[str, typer.Argument(help="Who is to decide; empty: nobody.")],
    why: Why = "",
    by: By = "",
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    as_json: Json = False,
) -> None:
    """Say who is to decide a case."""
    with _service(bootstrap, registry_url) as service:
        _tell(service.assign(dataset, case, assignee, by or getpass.getuser(), why), as_json=as_json)


@review.command()
def undo(
    dataset: DatasetId,
    decision: Annotated[str, typer.Argument(help="The decision's id.")],
    why: Why = "",
    by: By = "",
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    as_json: Json = False,
) -> None:
    """Take a decision back; what held before it holds again."""
    with _service(bootstrap, registry_url) as service:
        _tell(service.undo(dataset, decision, by or getpass.getuser(), why), as_json=as_json)


@review.command()
def decisions(
    dataset: DatasetId,
    case: Annotated[str | None, typer.Option(help="Only those about this case's row.")] = None,
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    as_json: Json = False,
) -> None:
    """List what was decided: who, when and why."""
    with _service(bootstrap, registry_url) as service:
        found = service.decisions(dataset, case)
    if as_json:
        return print_json(found)
    heads = ("id", "case", "at", "action", "by", "why", "undoes", "assignee")
    return table(heads, [[cell(made[head]) for head in heads] for made in found])


def _tell(made: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(made)
    else:
        tell(f"{made['action']} {made['case']}: decision {made['id']}")


@review.command()
def serve(
    bootstrap: Bootstrap = BOOTSTRAP,
    registry_url: RegistryUrl = REGISTRY,
    host: Annotated[
        str, typer.Option(envvar="DONGBO_REVIEW_HOST", help="Address to listen on; 0.0.0.0 for all.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="DONGBO_REVIEW_PORT", help="Port of the REST API.")] = 8084,
    user_header: Annotated[
        str,
        typer.Option(envvar="DONGBO_USER_HEADER", help="Header in which the proxy that knows the users names them."),
    ] = "X-Remote-User",
    log_level: LogLevel = "INFO",
) -> None:
    """Serve the same over REST, behind a proxy that knows the users."""
    log_at(log_level)
    with _service(bootstrap, registry_url) as service:
        run_server(service, bootstrap, registry_url, host=host, port=port, user_header=user_header)
