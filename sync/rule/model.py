"""What a dataset's rules are made of: fields, mappings, cleaning steps, checks, merge policy, reference tables.

Plain frozen dataclasses without I/O. ``sync.schema.dataset`` fills them from the YAML and Avro files under
``schemas/``; ``sync.rule.mapping``, ``sync.rule.cleaning`` and ``sync.rule.matching`` read them;
``sync.process`` carries them. Assumes nothing about Kafka, files or databases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from sync.errors import ConfigError

if TYPE_CHECKING:
    from sync.rule.expression.value import Value
    from sync.rule.relation import Relation

FieldType = Literal["string", "partial_date", "date", "datetime", "decimal", "int", "bool"]
Severity = Literal["ERROR", "WARN", "REVIEW", "FIX"]
Criterion = Literal["accuracy", "completeness", "validity", "uniqueness", "consistency", "timeliness"]
Class = Literal["basic", "sensitive", "none"]
Distribution = Literal["owner", "broadcast", "centre", "none"]
Authority = Literal["register", "manager", "ministry", "locality"]


@dataclass(frozen=True, slots=True)
class Code:
    """One code of an enumerated field: its Vietnamese name, and other ways in which sources write it."""

    code: str
    name: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One canonical field of a dataset, in the order of its Avro schema.

    ``type`` is the canonical type: ``string`` (text, char, catalogue and enum codes), ``partial_date``
    (string YYYY-MM-DD, YYYY-MM or YYYY), ``date``, ``datetime`` (microseconds, UTC), ``decimal`` with
    ``precision`` and ``scale``, ``int`` (32 bit), ``bool``. ``catalogue`` names a reference table. ``cls`` is the
    class of personal data (``dongbo.class``). ``required`` asks for a value (VR29). ``codes``: the codes that the
    schema itself lists for the field (``dongbo.values``, where the catalogue is not the table ``enumerations``).
    """

    name: str
    type: FieldType = "string"
    precision: int = 10
    scale: int = 0
    required: bool = False
    catalogue: str | None = None
    cls: Class = "none"
    codes: tuple[Code, ...] = ()

    @property
    def dtype(self) -> pl.DataType:
        """The Polars type of the cleaned column."""
        match self.type:
            case "date":
                return pl.Date()
            case "datetime":
                return pl.Datetime("us", "UTC")
            case "decimal":
                return pl.Decimal(self.precision, self.scale)
            case "int":
                return pl.Int32()
            case "bool":
                return pl.Boolean()
            case _:
                return pl.String()


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Where one canonical field comes from: a source ``column``, or a ``constant``; ``values`` recodes what was found.

    The keys of ``values`` are compared with the source value as trimmed text; a value without a key stays as it is.
    """

    field: str
    column: str | None = None
    values: Mapping[str, str] = dataclass_field(default_factory=dict)
    constant: str | None = None


@dataclass(frozen=True, slots=True)
class SourceMapping:
    """How one layout of source tables becomes a dataset: ``schemas/<dataset>/mapping/<name>.yaml``.

    ``date_format`` is the order of day and month in text dates (``dmy``, ``mdy``; ``iso`` text is always
    understood and as a value means ``dmy`` for what is not ISO; ``column``, for files that arrive whole: each column's
    own values settle it, and where they don't a person does). ``units``: the list that the source's codes of
    administrative units are of (``GSO2004``: to 2025-06-30, ``QD19_2025``: from 2025-07-01) where that is known; by
    default it follows from each record's date (step ``place``). ``encoding_hint`` (``tcvn3``, ``vni`` or None)
    only documents what the source is known to hold: decoding decides value by value.
    """

    name: str
    fields: tuple[FieldMapping, ...]
    date_format: Literal["dmy", "mdy", "iso", "column"] = "dmy"
    encoding_hint: str | None = None
    units: Literal["GSO2004", "QD19_2025"] | None = None


@dataclass(frozen=True, slots=True)
class CleanSpec:
    """One cleaning step of a dataset, run in the order of the list: ``rules.yaml`` key ``clean``.

    ``step`` names a registered function; ``fields`` what it works on (empty = every field the step understands by its
    type or catalogue); ``params`` its parameters; ``rule`` the id recorded in ``fixes`` for a changed value. A value
    that a step cannot read is a violation of ``params["refuse"]`` (default UNREADABLE, or CATALOGUE for codes).
    A change of notation only (text date to date, decimal comma, name to code) is not a fix.

    Steps, in the order to list them (rule id; fields and params):

    - ``text`` (VR10; every text column; a placeholder becomes null as VR29; params {keys: [comparison keys]})
      · ``person_name`` (VR10; fields)
    - ``code`` (VR10; fields: upper case, no blanks) · ``phone`` (VR10; fields) · ``agency`` (VR27; fields)
      · ``email`` (VR10; fields) · ``digits`` (VR10; fields, params {lengths: [10, 12]})
    - ``date`` (VR10; date, datetime and partial_date fields), twice: first with fields [birth_date] and params {refuse:
      VR11, birth: true, min_age: 15, max_age: 110} · ``precision`` (VR11; fields [birth_date_precision], params {of:
      birth_date}) · ``first_of_january`` (DATE_PRECISION; fields, params {share: 0.05, least: 20})
    - ``coefficient`` (VR16; fields [salary_coefficient], params {rank, group, step: field names}), then ``number``
      (VR10; decimal, int and bool fields)
    - ``enum`` (VR10; fields with codes of their own, and those that params {dataset} has in ``enumerations``)
      · ``catalogue`` (VR10; ethnic_groups and religions fields, or the named fields by their catalogue)
    - ``identifier`` (VR06; params {id, old_id, birth_date, gender: field names})
    - ``place`` (VR26; params {current: [[province field, commune field], ...], history: [[...], ...], as_of: field})

    What can't be repaired for certain is left empty for a person (REVIEW), with proposals: VR01 (letters for digits),
    VR08, VR09 (more than a name), VR16 (lost comma), VR24 (names of places), DATE_DOUBT, NUMBER_DOUBT.
    """

    step: str
    rule: str
    fields: tuple[str, ...] = ()
    params: Mapping[str, Any] = dataclass_field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a rule of severity FIX sets where its condition is false: ``field`` to ``value``, written ``text``."""

    field: str
    text: str
    value: Value


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One rule of a dataset: ``rules.yaml`` key ``rules``. What it says stands in ``condition`` or in a ``check``.

    ``condition`` is what must hold (compiled from the key ``expression``); a record for which it is false breaks the
    rule at the first of ``fields``, one for which it is unknown does not. ``valid_from`` and ``valid_to``: the days on
    which the rule is in force, judged by the record's date in the field ``as_of``, or by the day of judgement.
    ``sets`` (severity FIX, key ``set``): what repairs a record (``sync.rule.amendment``); what it can't is a WARN.
    ``relations``: what the condition asks of other datasets' golden records (``sync.rule.relation``).
    ``version`` counts the rule's changes, ``criterion`` is the quality criterion, ``basis`` the law or source.

    ``id`` is the rule's id (VR01 ...), recorded in ``violations`` and shown with ``message_vi`` and ``message_en``.
    ``check`` names the registered function, by default the id itself; the empty string binds a severity and messages
    to an id that only cleaning reports (UNREADABLE, CATALOGUE, VR06, VR10, VR26). No ``fields`` = the function's own.

    Checks: NO_ID, VR01-VR05, VR09, VR11, VR13, VR24, VR25, VR27, VR29. Parameters, all optional:
    VR11 {min_age: 15, max_age: 110} · VR13 {chain: [fields], past: [fields]} ·
    VR24, VR25 {current, history: pairs as in step ``place``} · VR27 {descendant: true}.
    """

    id: str
    severity: Severity
    message_vi: str
    message_en: str
    fields: tuple[str, ...] = ()
    params: Mapping[str, Any] = dataclass_field(default_factory=dict)
    check: str | None = None
    version: int = 1
    criterion: Criterion | None = None
    basis: str = ""
    expression: str | None = None
    condition: Value | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    as_of: str | None = None
    sets: tuple[Assignment, ...] = ()
    relations: tuple[Relation, ...] = ()

    @property
    def function(self) -> str:
        """Name of the registered check; empty for an expression, and for an id only reported by cleaning."""
        if self.condition is not None:
            return ""
        return self.id if self.check is None else self.check

    def in_force(self, day: date) -> bool:
        """Whether the rule is in force on a day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True)
class RuleSet:
    """A dataset's cleaning steps and checks."""

    clean: tuple[CleanSpec, ...] = ()
    rules: tuple[RuleSpec, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, RuleSpec]:
        """The first binding of each rule id, for messages."""
        found: dict[str, RuleSpec] = {}
        for rule in self.rules:
            found.setdefault(rule.id, rule)
        return found

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """What findings call each rule: its id with its version, ``VR16@2``."""
        return {rule.id: f"{rule.id}@{rule.version}" for rule in self.rules}


@dataclass(frozen=True, slots=True)
class Group:
    """Fields merged by one order of authorities: ``policy.yaml`` key ``groups``.

    ``order``: authorities that take part, best first. ``latest``: a field whose greatest value wins before the order.
    ``atomic``: the whole group from the first contribution that says anything of it, no filling of nulls. ``max``: the
    greatest value of all.
    """

    name: str
    fields: tuple[str, ...]
    order: tuple[Authority, ...] = ()
    latest: str | None = None
    atomic: bool = False
    max: bool = False


@dataclass(frozen=True, slots=True)
class Locality:
    """How a golden record finds its province: ``field`` through the relation ``via``.

    ``agency_province``: the level-1 code of an agency. ``province``: the code of a province. ``contributor``: the
    province whose source told the record (the newest, where several did); its field is ``_locality``.
    """

    field: str
    via: str


@dataclass(frozen=True, slots=True)
class Match:
    """Canonical fields compared with the register's row."""

    name: str
    birth_date: str
    sex: str


@dataclass(frozen=True, slots=True)
class Activity:
    """Where a person is active (VR07): the fields that tell the ``unit``, ``since`` when, and the ``status``.

    ``active``: the statuses that mean so. ``concurrent``: the field that tells of a further position beside it.
    """

    unit: str
    since: str
    status: str
    active: tuple[str, ...]
    concurrent: str


@dataclass(frozen=True)
class Policy:
    """How contributions become one golden record and who gets it: ``policy.yaml``."""

    entity: tuple[str, ...]
    groups: tuple[Group, ...]
    register: str | None = None
    match: Match | None = None
    distribution: Distribution = "centre"
    locality: Locality | None = None
    activity: Activity | None = None
    transfer: tuple[tuple[str, ...], ...] = ()
    """Fields that hold a unit of the present and follow it when it is merged; those of one tuple move together."""


@dataclass(frozen=True)
class Reference:
    """Reference tables given by the caller, by name (= CSV file name under ``schemas/reference`` without ``.csv``).

    All columns are strings. Tables and columns the rules use (names of columns as in the published data files):
    ``provinces`` (code, name, short_name), ``provinces_old`` (old_gso_code, old_name, cccd_prefix, new_province_code),
    ``communes`` (code, province_code, name, alias_code), ``commune_resolution`` (old_commune_code, alias_codes,
    old_commune, old_district_code, old_province_code, new_province_code, status, resolved_new_code),
    ``agencies`` (code, name), ``ethnic_groups`` (code, name, aliases_in_source), ``religions`` (code, name, aliases;
    or code_unverified, aliases_unverified), ``ranks`` (code, salary_group, valid_from, valid_to),
    ``salary_grades`` (group, step, coefficient, months_to_next_step), ``enumerations`` (dataset, field, code, name,
    aliases), ``tcvn3_map`` (latin1_char, unicode), ``vni_map`` (latin1_seq, unicode).
    """

    tables: Mapping[str, pl.DataFrame]
    _cache: dict[str, Any] = dataclass_field(default_factory=dict, compare=False, repr=False)

    def table(self, name: str, *columns: str) -> pl.DataFrame:
        """Return table ``name``; ConfigError naming the table and the remedy if it or a column is missing."""
        if name not in self.tables:
            raise ConfigError(
                f"Reference table {name} is missing.", field=name, hint=f"Add schemas/reference/{name}.csv."
            )
        frame = self.tables[name]
        absent = [column for column in columns if column not in frame.columns]
        if absent:
            raise ConfigError(
                f"Reference table {name} lacks the columns {', '.join(absent)}.",
                field=name,
                hint=f"Add them to schemas/reference/{name}.csv.",
            )
        return frame


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What cleaning gives: as many rows as went in, in their order.

    ``frame``: all canonical fields, typed. ``fixes``: row (u32 index into the frame), field, rule, ``old`` and ``new``
    value as text. ``violations``: row, field, rule, severity (ERROR, WARN, REVIEW). ``proposals``: row, field, rule,
    ``old`` value of the source and the ``value`` proposed for it; null where cleaning left the field empty and has
    nothing to propose. Old and new values are for the owner of the record: never for a log, a label or an error.
    """

    frame: pl.DataFrame
    fixes: pl.DataFrame
    violations: pl.DataFrame
    proposals: pl.DataFrame
