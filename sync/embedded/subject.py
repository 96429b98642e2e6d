"""The registry's content: subjects, versions, ids, compatibility levels and modes, as records of a compacted log.

Every change is a record ``(key, value)`` in the format of Confluent Schema Registry's ``_schemas`` topic (its
``SchemaKey``/``SchemaValue``, ``ConfigKey``, ``ModeKey``, ``DeleteSubjectKey`` …), so that either registry can read
the other's topic. ``Subjects`` decides which records a request needs and what its answer is; it appends them to the
``Log`` and only then applies them. Called by the REST layer, from many threads: writers take turns, and readers never
wait for a writer that waits for Kafka.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sync.embedded.avro_schema import InvalidSchema, Schema, dependencies, parse
from sync.embedded.compatibility import LEVELS, check
from sync.errors import SyncError

MODES = ("READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT")
_MAX_VERSION = 2**31 - 1

Record = tuple[bytes | None, bytes | None]
"""``(key, value)``; without a value the key is deleted."""


class Log(Protocol):
    """Where the records lie, in one order for ever."""

    def records(self) -> Iterable[Record]:
        """All records, oldest first; from now on no earlier writer can append any more. Raises SyncError."""

    def append(self, record: Record) -> None:
        """Make one record durable before returning. After a SyncError it may or may not be there."""


class Problem(Exception):
    """A refusal in Confluent's terms: HTTP status, error code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = int(str(code)[:3])


@dataclass(frozen=True, slots=True)
class Reference:
    """A schema that another one refers to by ``name``."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a subject."""

    subject: str
    version: int
    id: int
    schema: str
    references: tuple[Reference, ...] = ()
    deleted: bool = False

    def key(self) -> dict[str, Any]:
        return {"keytype": "SCHEMA", "subject": self.subject, "version": self.version, "magic": 1}

    def value(self) -> dict[str, Any]:
        result: dict[str, Any] = {"subject": self.subject, "version": self.version, "id": self.id}
        if self.references:
            result["references"] = [references_json(one) for one in self.references]
        return {**result, "schema": self.schema, "deleted": self.deleted}


def references_json(one: Reference) -> dict[str, Any]:
    """A reference as the REST API shows it."""
    return {"name": one.name, "subject": one.subject, "version": one.version}


def read_references(raw: Any) -> tuple[Reference, ...]:
    """References from a request or record; Problem 42201 where they are not well formed."""
    try:
        return tuple(Reference(str(one["name"]), str(one["subject"]), int(one["version"])) for one in raw or ())
    except (TypeError, KeyError, ValueError) as error:
        raise Problem(42201, "Invalid schema: a reference needs name, subject and version") from error


def encode(record: Any) -> bytes:
    """A record's JSON; the order of a key's attributes is part of its identity for compaction."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


class Subjects:
    """The content in memory, read from the log and changed together with it."""

    def __init__(self, log: Log) -> None:
        """Read the log. Raises SyncError."""
        self._log = log
        self._lock = threading.RLock()
        self._turn = threading.RLock()
        self._stale = True
        self._forget()
        with self._writer():
            pass

    def _forget(self) -> None:
        self._versions: dict[str, dict[int, Version]] = {}
        self._levels: dict[str | None, str] = {}
        self._modes: dict[str | None, str] = {}
        self._last_id = 0
        self._parsed: dict[tuple[str, tuple[Reference, ...]], Schema] = {}

    # -- the log -------------------------------------------------------------------------------------------------

    @contextmanager
    def _writer(self) -> Iterator[None]:
        """Take the turn to write. After an append whose outcome isn't known the log decides what is true."""
        with self._turn:
            if self._stale:
                records = [
                    (json.loads(key), None if value is None else json.loads(value))
                    for key, value in self._log.records()
                    if key is not None
                ]
                with self._lock:
                    self._forget()
                    for key, value in records:
                        self._apply(key, value)
                self._stale = False
            yield

    def _write(self, key: dict[str, Any], value: dict[str, Any] | None) -> None:
        try:
            self._log.append((encode(key), None if value is None else encode(value)))
        except SyncError:
            self._stale = True
            raise
        with self._lock:
            self._apply(key, value)

    def _apply(self, key: dict[str, Any], value: dict[str, Any] | None) -> None:
        kind, subject = key.get("keytype"), key.get("subject")
        if kind == "SCHEMA":
            self._apply_version(str(subject), int(key["version"]), value)
        elif kind == "CONFIG":
            _set(self._levels, subject, None if value is None else value.get("compatibilityLevel"))
        elif kind == "MODE":
            _set(self._modes, subject, None if value is None else value.get("mode"))
        elif kind == "DELETE_SUBJECT" and value is not None:
            versions = self._versions.get(str(subject), {})
            for number, version in list(versions.items()):
                if number <= int(value["version"]):
                    versions[number] = replace(version, deleted=True)

    def _apply_version(self, subject: str, number: int, value: dict[str, Any] | None) -> None:
        versions = self._versions.setdefault(subject, {})
        if value is None:
            versions.pop(number, None)
            if not versions:
                del self._versions[subject]
            return
        references = read_references(value.get("references"))
        deleted = bool(value.get("deleted"))
        versions[number] = Version(subject, number, int(value["id"]), value["schema"], references, deleted)
        self._last_id = max(self._last_id, int(value["id"]))

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def last_id(self) -> int:
        """The greatest id given so far."""
        return self._last_id

    def subjects(self, prefix: str = "", *, deleted: bool = False, deleted_only: bool = False) -> list[str]:
        """Names of subjects with a version that is live (``deleted``: or soft-deleted), sorted."""
        with self._lock:
            return sorted(
                name
                for name, versions in self._versions.items()
                if name.startswith(prefix) and _visible(versions.values(), deleted, deleted_only)
            )

    def versions(self, subject: str, *, deleted: bool = False, deleted_only: bool = False) -> list[Version]:
        """Versions in ascending order. Problem 40401 when there is none to see."""
        with self._lock:
            found = _visible(self._versions.get(subject, {}).values(), deleted, deleted_only)
        if not found:
            raise Problem(40401, f"Subject '{subject}' not found.")
        return found

    def version(self, subject: str, number: str, *, deleted: bool = False) -> Version:
        """One version; ``number`` is a positive number, "latest" or "-1". Problems 42202, 40401, 40402."""
        wanted = version_number(number)
        with self._lock:
            found = _visible(self._versions.get(subject, {}).values(), deleted, False)
        if not found:
            raise Problem(40401, f"Subject '{subject}' not found.")
        if wanted is None:
            return found[-1]
        for one in found:
            if one.version == wanted:
                return one
        raise Problem(40402, f"Version {number} not found.")

    def by_id(self, number: int, *, deleted: bool = True) -> list[Version]:
        """All versions with that schema id. Problem 40403 when there is none."""
        with self._lock:
            every = [one for versions in self._versions.values() for one in versions.values() if one.id == number]
        if not every:
            raise Problem(40403, f"Schema {number} not found")
        return sorted((one for one in every if deleted or not one.deleted), key=lambda one: (one.subject, one.version))

    def lookup(self, subject: str, text: str, references: tuple[Reference, ...], *, deleted: bool = False) -> Version:
        """The version of ``subject`` that is this schema. Problems 40401, 40403, 42201."""
        schema = self.parse(text, references)
        for one in reversed(self.versions(subject, deleted=deleted)):
            if (one.schema, one.references) == (schema.text, references):
                return one
        raise Problem(40403, "Schema not found")

    def referenced_by(self, version: Version) -> list[int]:
        """Ids of live schemas that refer to a version."""
        with self._lock:
            return sorted(
                {
                    one.id
                    for versions in self._versions.values()
                    for one in versions.values()
                    if not one.deleted
                    and any((r.subject, r.version) == (version.subject, version.version) for r in one.references)
                }
            )

    def parse(self, text: str, references: tuple[Reference, ...] = ()) -> Schema:
        """Parse a schema with what it refers to. Problem 42201."""
        if (known := self._parsed.get((text, references))) is not None:
            return known
        try:
            others = [self._referred(one) for one in references]
            schema = parse(text, dependencies(others))
        except InvalidSchema as error:
            raise Problem(
                42201, f"Invalid schema {text[:200]} with refs {len(references)}, details: {error}"
            ) from error
        self._parsed[text, references] = schema
        return schema

    def _referred(self, one: Reference) -> Schema:
        version = self._versions.get(one.subject, {}).get(one.version)
        if version is None:
            raise Problem(42201, f"Invalid schema: No schema reference found for subject '{one.subject}' and version "
                          f"{one.version}")  # fmt: skip
        return self.parse(version.schema, version.references)

    # -- compatibility levels and modes ----------------------------------------------------------------------------

    def level(self, subject: str | None, *, inherited: bool = True) -> str:
        """The compatibility level in force. Problem 40408 when ``inherited`` is off and the subject has none."""
        return self._setting(self._levels, subject, "BACKWARD", inherited, 40408, "compatibility")

    def mode(self, subject: str | None, *, inherited: bool = True) -> str:
        """The mode in force. Problem 40409 when ``inherited`` is off and the subject has none."""
        return self._setting(self._modes, subject, "READWRITE", inherited, 40409, "mode")

    def _setting(
        self, settings: dict[str | None, str], subject: str | None, usual: str, inherited: bool, code: int, what: str
    ) -> str:
        with self._lock:
            if subject is not None and not inherited and subject not in settings:
                raise Problem(code, f"Subject '{subject}' does not have subject-level {what} configured")
            return settings.get(subject) or settings.get(None) or usual

    def set_level(self, subject: str | None, level: Any) -> None:
        """Set a level; None as ``subject`` = all. Problem 42203."""
        if level not in LEVELS:
            raise Problem(42203, f"Invalid compatibility level. Valid values are {', '.join(LEVELS).lower()}.")
        with self._writer():
            self._write(_config_key(subject), {"compatibilityLevel": level})

    def delete_level(self, subject: str | None) -> str:
        """Return to the inherited level; returns the one that was set. Problem 40408 when none was."""
        with self._writer():
            old = self.level(subject, inherited=False)
            self._write(_config_key(subject), None)
            return old

    def set_mode(self, subject: str | None, mode: Any, *, force: bool = False) -> None:
        """Set a mode. Problems 42204, 42205 (IMPORT only where there is no schema, unless forced)."""
        if mode not in MODES:
            raise Problem(42204, f"Invalid mode. Valid values are {', '.join(MODES)}")
        with self._writer():
            if mode == "IMPORT" and not force and self.subjects(subject or ""):
                raise Problem(42205, "Cannot import since found existing subjects")
            self._write(_mode_key(subject), {"mode": mode})

    def delete_mode(self, subject: str) -> str:
        """Return to the inherited mode; returns the one that was set. Problem 40409 when none was."""
        with self._writer():
            old = self.mode(subject, inherited=False)
            self._write(_mode_key(subject), None)
            return old

    # -- writing -------------------------------------------------------------------------------------------------

    def check(self, subject: str, text: str, references: tuple[Reference, ...], olds: list[Version]) -> list[str]:
        """Messages saying how a schema breaks the subject's level against ``olds``; empty when it doesn't."""
        schema = self.parse(text, references)
        against = [(one.version, self.parse(one.schema, one.references)) for one in olds]
        return check(schema, against, self.level(subject))

    def register(
        self, subject: str, text: str, references: tuple[Reference, ...] = (), *, given_id: int | None = None,
        given_version: int | None = None,
    ) -> Version:  # fmt: skip
        """Return the version of ``subject`` that is this schema, made where there is none yet.

        The same schema has the same id under every subject. ``given_id``/``given_version`` only in mode IMPORT.
        Problems 42201 (not Avro), 42205 (mode), 409 (incompatible), 42207 (id of another schema).
        """
        schema = self.parse(text, references)
        with self._writer():
            live = _visible(self._versions.get(subject, {}).values(), False, False)
            for one in reversed(live):
                if (one.schema, one.references) == (schema.text, references) and given_id in (None, one.id):
                    return one
            mode = self.mode(subject)
            if mode.startswith("READONLY"):
                raise Problem(42205, f"Subject {subject} in context  is in read-only mode")
            importing = mode == "IMPORT"
            if given_id is not None and not importing:
                raise Problem(42205, f"Subject {subject} in context  is not in import mode")
            if not importing and (messages := self.check(subject, text, references, live)):
                raise Problem(
                    409,
                    f'Schema being registered is incompatible with an earlier schema for subject "{subject}", '
                    f"details: [{', '.join(messages)}]",
                )
            number = given_version or max(self._versions.get(subject, {0: None})) + 1
            made = Version(subject, number, self._id_for(schema.text, references, given_id), schema.text, references)
            self._write(made.key(), made.value())
            return made

    def _id_for(self, text: str, references: tuple[Reference, ...], given: int | None) -> int:
        every = [one for versions in self._versions.values() for one in versions.values()]
        if given is not None:
            if any(one.id == given and (one.schema, one.references) != (text, references) for one in every):
                raise Problem(42207, f"Overwrite new schema with id {given} is not permitted.")
            return given
        same = (one.id for one in every if (one.schema, one.references) == (text, references))
        return next(same, self._last_id + 1)

    def delete_version(self, subject: str, number: str, *, permanent: bool = False) -> int:
        """Delete one version: softly, then permanently. Problems 40401, 40402, 40406, 40407, 42202, 42206."""
        with self._writer():
            self._writable(subject)
            one = self._any(subject, number)
            if permanent and not one.deleted:
                raise Problem(
                    40407,
                    f"Subject '{subject}' Version {one.version} was not deleted first before being permanently deleted",
                )
            if one.deleted and not permanent:
                raise Problem(
                    40406,
                    f"Subject '{subject}' Version {one.version} was soft deleted."
                    "Set permanent=true to delete permanently",
                )
            self._unreferenced([one])
            self._write(one.key(), None if permanent else replace(one, deleted=True).value())
            return one.version

    def _any(self, subject: str, number: str) -> Version:
        """The live version, else the soft-deleted one."""
        try:
            return self.version(subject, number)
        except Problem:
            return self.version(subject, number, deleted=True)

    def delete_subject(self, subject: str, *, permanent: bool = False) -> list[int]:
        """Delete all versions: softly, then permanently. Problems 40401, 40404, 40405, 42205, 42206."""
        with self._writer():
            self._writable(subject)
            every = self.versions(subject, deleted=True)
            live = [one for one in every if not one.deleted]
            if permanent and live:
                raise Problem(40405, f"Subject '{subject}' was not deleted first before being permanently deleted")
            if not permanent and not live:
                raise Problem(40404, f"Subject '{subject}' was soft deleted.Set permanent=true to delete permanently")
            self._unreferenced(every if permanent else live)
            if permanent:
                for one in every:
                    self._write(one.key(), None)
                return [one.version for one in every]
            key = {"keytype": "DELETE_SUBJECT", "subject": subject, "magic": 0}
            self._write(key, {"subject": subject, "version": live[-1].version})
            if subject in self._modes:
                self._write(_mode_key(subject), None)
            if subject in self._levels:
                self._write(_config_key(subject), None)
            return [one.version for one in live]

    def _writable(self, subject: str) -> None:
        if self.mode(subject).startswith("READONLY"):
            raise Problem(42205, f"Subject {subject} in context  is in read-only mode")

    def _unreferenced(self, versions: Iterable[Version]) -> None:
        for one in versions:
            if self.referenced_by(one):
                raise Problem(
                    42206,
                    f"One or more references exist to the schema {{magic=1,keytype=SCHEMA,subject={one.subject},"
                    f"version={one.version}}}.",
                )


def version_number(text: str) -> int | None:
    """A version in a URL; None = the latest. Problem 42202."""
    if text in ("latest", "-1"):
        return None
    if text.isascii() and text.isdigit() and 1 <= int(text) <= _MAX_VERSION:
        return int(text)
    raise Problem(
        42202,
        f"The specified version '{text}' is not a valid version id. Allowed values are between [1, 2^31-1] and the "
        'string "latest"',
    )


def _visible(versions: Iterable[Version], deleted: bool, deleted_only: bool) -> list[Version]:
    chosen = (one for one in versions if (one.deleted if deleted_only else deleted or not one.deleted))
    return sorted(chosen, key=lambda one: one.version)


def _set(settings: dict[str | None, str], subject: str | None, value: str | None) -> None:
    if value is None:
        settings.pop(subject, None)
    else:
        settings[subject] = value


def _config_key(subject: str | None) -> dict[str, Any]:
    return {"keytype": "CONFIG", "subject": subject, "magic": 0}


def _mode_key(subject: str | None) -> dict[str, Any]:
    return {"keytype": "MODE", "subject": subject, "magic": 0}
