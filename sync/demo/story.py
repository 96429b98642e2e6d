"""What is told about one person: rows, damages, changes in the live phase, and what must come of them.

The story itself is drawn by ``sync.demo.script``, the changes by ``sync.demo.turn``; here is what they consist of, and
``Stage.expected``, which asks the oracle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sync.demo import oracle, person
from sync.demo.error import Row, class_of
from sync.demo.oracle import Contribution, Golden
from sync.demo.person import Record
from sync.demo.site import REGISTER, RETURN_SCHEMA, Site
from sync.demo.world import World
from sync.rule.model import Policy

Fields = Mapping[tuple[str, str], frozenset[str]]
"""(dataset, mapping) → canonical fields that the layout keeps."""

SPAN = 4000
"""Only people below this number change in the live phase: it stays short for any number of rows."""

RETURN_TABLE = f"{RETURN_SCHEMA}.civil_servant"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a source row in the live phase: insert (no ``before``), update, or delete (no ``after``)."""

    kind: str
    before: Row | None
    after: Row | None

    @property
    def row(self) -> Row:
        """The row it is about."""
        found = self.after or self.before
        assert found is not None
        return found


@dataclass(slots=True)
class Story:
    """One person: rows before the live phase, changes in it. ``register`` is the register's row, if it has one."""

    index: int
    citizen_id: str
    register: Row | None
    rows: list[Row]
    changes: list[Change] = field(default_factory=list)
    error: str | None = None
    live: str | None = None

    def refusals(self) -> int:
        """How many versions of its rows validation must reject, first load and live phase together."""
        versions = [*self.rows, *(change.after for change in self.changes if change.after is not None)]
        return sum(bool(row.refused) for row in versions)

    def final(self, *, live: bool = True) -> tuple[Row | None, list[Row]]:
        """Register row and live rows after the live phase (before it with ``live=False``).

        A change that validation refuses leaves the row's last valid version in force (it is marked in ``refused``).
        """
        rows: dict[tuple[str, str], Row] = {row.identity: row for row in self.rows}
        register = self.register
        for change in self.changes if live else ():
            row = change.row
            if row.site.authority == "register":
                register = change.after
            elif change.after is None:
                del rows[row.identity]
            elif change.after.refused and row.identity in rows:
                rows[row.identity] = replace(rows[row.identity], refused=change.after.refused, error=change.after.error)
            else:
                rows[row.identity] = change.after
        return register, list(rows.values())


@dataclass(frozen=True)
class Stage:
    """Everything that stories are drawn from. ``people`` before the live phase, ``arrivals`` come in it."""

    world: World
    sites: tuple[Site, ...]
    fields: Fields
    policy: Policy
    people: int
    arrivals: int = 20

    @property
    def span(self) -> int:
        """How many people can change."""
        return min(self.people, SPAN)

    @property
    def every(self) -> int:
        """Every how-manieth person changes."""
        return max(7, self.span // 190)

    def site(self, province: str | None) -> Site | None:
        """The locality's database, None where the province has none."""
        return next((site for site in self.sites if province and site.locality == province), None)

    def numbers(self) -> range:
        """All people, arrivals included."""
        return range(self.people + self.arrivals)

    def changing(self) -> Iterator[int]:
        """Numbers of the people that may change in the live phase."""
        yield from (index for index in range(self.span) if self.changes(index))
        yield from range(self.people, self.people + self.arrivals)

    def changes(self, index: int) -> bool:
        """Whether ``index`` may change: every few, and in every fourth run of 200 those whose row can't be used."""
        kind = class_of(self.world, index)
        corrected = kind is not None and kind.outcome in ("REJECTED", "REVIEW") and index // 200 % 4 == 0
        return index < self.span and (corrected or index % self.every == 0)

    def expected(self, story: Story, *, live: bool = True) -> Expected:
        """What must be found for ``story`` in the centre, in the localities and in the verdicts."""
        register, rows = story.final(live=live)
        known = contribution(register) if register else None
        valid = [contribution(row) for row in rows if not row.refused or row.error == "broken"]
        taking, verdicts = oracle.matched(valid, known)
        found = {
            identity: (outcome, frozenset({code} if code else ())) for identity, (outcome, code) in verdicts.items()
        }
        found.update({row.identity: ("REJECTED", row.refused) for row in rows if row.refused})
        return Expected(oracle.golden(taking, self.policy, self.world.province), found)


@dataclass(frozen=True, slots=True)
class Expected:
    """The model's answer for one person. ``verdicts``: (source, row) → outcome and codes that may be named."""

    golden: Golden | None
    verdicts: Mapping[tuple[str, str], tuple[str, frozenset[str]]]


def contribution(row: Row) -> Contribution:
    """The row as the oracle sees it."""
    source, identity = row.identity
    return Contribution(source, identity, row.site.authority, row.site.locality, row.clean, row.padded)


def row_of(stage: Stage, site: Site, index: int, record: Record) -> Row:
    """A sound row of ``site``'s personnel table: the fields of its layout, numbered ``index + 1``."""
    table = site.table("civil_servant")
    kept = stage.fields[table.dataset, table.mapping]
    return Row(site, table.name, str(index + 1), {name: value for name, value in record.items() if name in kept})


def register_row(stage: Stage, truth: Record) -> Row:
    """The register's row: names in capitals, as the register sends them."""
    table = REGISTER.table("population")
    kept = stage.fields[table.dataset, table.mapping]
    clean = {name: value for name, value in truth.items() if name in kept}
    # Older than any other source's time, so that it decides no "latest" by chance.
    clean["source_updated_at"] = person.moment(stage.world.today - timedelta(days=80), int(truth["citizen_id"][-4:]))
    row = Row(REGISTER, table.name, truth["citizen_id"], clean)
    row.raw["full_name"] = clean["full_name"].upper()
    return row


def live_moment(stage: Stage, index: int) -> Record:
    """The update time of a live change: after everything before it; different people, different seconds."""
    yesterday = stage.world.today - timedelta(days=1)
    return {"source_updated_at": person.moment(yesterday, 8 * 3600 + index % 20_000)}
