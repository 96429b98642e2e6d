"""The work of the reconcile step on one dataset in one batch: the order in which its parts do theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from sync.process.arrival import Arrival
from sync.process.breach import Breaches
from sync.process.bridge import Output
from sync.process.difference import differences
from sync.process.entity import CODE_SHIFT, REVIEW
from sync.process.ledger import Ledger, Origin, Outcome
from sync.process.loading import Loading
from sync.process.means import Means
from sync.process.move import Moves
from sync.process.notice import Note, Notices
from sync.process.outbox import Outbox
from sync.process.outline import Contributions
from sync.process.person import REFER, Persons
from sync.process.publication import Publication
from sync.process.quality import Tally
from sync.process.reason import CODES, OPEN, REFUSED, UNLIKE
from sync.process.referral import Referrals
from sync.process.settlement import Settled, settle
from sync.process.survival import Survival
from sync.process.touched import Arrived, Change, Contribution, Touched
from sync.process.transfer import Transfers
from sync.rule import linkage
from sync.rule.matching import MATCH
from sync.rule.merge import REGISTER
from sync.schema.dataset import Dataset

TOLD = ("_fixes", "_warnings", "_proposals", "_topic", "_partition", "_locality", "_source", "_row")
"""The first fields of a ``Note``."""


class Part:
    """The work on one dataset in one batch: all its partitions at once, since a pass over columns costs by the pass."""

    def __init__(
        self, means: Means, dataset: Dataset, output: Output, outbox: Outbox, ledger: Ledger, tally: Tally, at: int
    ) -> None:
        """``at``: the time of what is said, microseconds since 1970."""
        subjects = means.subjects
        self._means = means
        self._dataset = dataset
        self._ledger = ledger
        self._breaches = Breaches(dataset, tally)
        self._notices = Notices(dataset, subjects, outbox, ledger, at)
        self._transfers = Transfers(dataset, subjects, means.decisions, means.reader, outbox, at)
        self._loading = Loading(dataset, means)
        moves = Moves(dataset, subjects.valid(dataset), subjects.partitions)
        self._arrival = Arrival(dataset, means.outlines(dataset), moves, self._notices, self._breaches, output)
        self._survival = Survival(dataset, means)
        self._referrals = Referrals(dataset, means, output)
        self._publication = Publication(dataset, subjects, output)

    def work(self, arrived: Arrived) -> None:
        """Bring the touched entities up to date and emit what changed."""
        touched = self._loading.load(arrived)
        if not touched.keys:
            return
        self._transfers.take(arrived.transfers, touched)
        found = self._arrival.take(arrived.valid, touched)
        if found is not None and any(entity.transfers for entity in touched.entities):
            # A transfer replaces values.
            found = found.whole(self._means.reader)
        self._reconcile(touched, found)

    # -- the pure part, in columns

    def _reconcile(self, touched: Touched, found: Contributions | None) -> None:
        entities = touched.entities
        codes, compared = pl.Series("code", [], dtype=pl.String), pl.DataFrame()
        referred: Mapping[Contribution, bytes] = {}
        if found is not None:
            owners = pl.Series("_e", [number for number, _ in touched.live], dtype=pl.UInt32)
            found = replace(found, frame=found.frame.with_columns(owners))
            found, codes, compared = self._survival.match(found, entities)
        # Before duties in two units are looked for: a merged unit and its successor are one.
        frame = self._transfers.carry(touched, None if found is None else found.frame)
        if found is not None and frame is not None:
            found = replace(found, frame=frame)
            by, persons = self._means.decisions, Persons(self._dataset, self._means.decisions, touched)
            settled = settle(codes, frame, compared, list(touched.live), self._dataset, by, persons)
            referred = settled.referred
            codes = settled.codes
            self._judge(touched, settled, found)
            self._breaches.count(frame, enumerate(codes), 1)
        self._referrals.settle(touched, referred)
        golden, datums = self._survival.merge(found, codes, len(entities))
        changed = self._publication.emit(touched, golden, datums)
        self._count(touched.changes, changed)

    def _judge(self, touched: Touched, settled: Settled, found: Contributions) -> None:
        """Reviews and verdicts: compare each contribution's match with what was said before."""
        codes, entries = settled.codes, [*touched.contributors()]
        notes = found.frame[: len(codes)]
        said = notes.select((codes != MATCH) | pl.col("_fixes").is_not_null() | pl.col("_warnings").is_not_null())
        contributions, anew = list(touched.live), touched.anew
        # A record that is simply right, and was so before, needs no word.
        rows = {*said.to_series().arg_true(), *(row for row, entry in enumerate(entries) if entry.flags)}
        rows |= {row for row, contribution in enumerate(contributions) if contribution in anew} if anew else set()
        if not rows:
            return
        fresh = {(change.entity, change.key) for change in touched.changes if not change.superseded}
        told: dict[int, tuple[str, bool, bool]] = {}
        chosen = sorted(rows)
        for row, code in zip(chosen, codes.gather(chosen), strict=True):
            contribution = contributions[row]
            # The case is another one where the register says another thing, though it is open for the same reason.
            again = contribution in anew or (code in OPEN and contribution[0] in touched.renewed)
            # What was said about the same version with the same outcome stands.
            if contribution in fresh or again or entries[row].flags >> CODE_SHIFT != CODES.index(code):
                told[row] = code, contribution in fresh, again
        for (row, (code, new, again)), note in zip(told.items(), self._notes(found, list(told), settled), strict=True):
            entity = touched.keys[contributions[row][0]]
            match, refusal = settled.matches[row], touched.refusal(contributions[row])
            self._notices.say(entries[row], code, note, entity, match=match, fresh=new, anew=again, refusal=refusal)

    def _notes(self, found: Contributions, rows: list[int], settled: Settled) -> Iterator[Note]:
        """What is told of contributions beside their codes."""
        if not rows:
            return
        frame = found.rows([*rows, *_people(found.frame, rows)]).whole(self._means.reader).frame
        own = range(len(rows))
        said = frame[: len(rows)].select(TOLD).iter_rows()
        unlike = differences(frame, own, self._dataset.policy)
        # Whose record it is is in doubt where the register says no; not where a person has two units.
        # Who one is that was referred is decided.
        ops = frame["_op"]
        unsure = [code in UNLIKE and ops[row] != REFER for row, code in enumerate(settled.codes.gather(rows))]
        records = linkage.described(frame[: len(rows)]) if any(unsure) else [""] * len(rows)
        for row, note, differing, doubtful, record in zip(rows, said, unlike, unsure, records, strict=True):
            yield Note._make((*note, settled.facts.get(row, ""), differing, record if doubtful else None))

    def _count(self, changes: list[Change], changed: set[int]) -> None:
        """The outcome of each change of the batch."""
        counts: Counter[tuple[Origin, Outcome]] = Counter()
        for change in changes:
            entry = change.entry
            if change.superseded:
                outcome: Outcome = "merged"
            elif entry.flags & REVIEW and entry.value:
                outcome = "review"
            elif entry.flags >> CODE_SHIFT == CODES.index(REFUSED) and entry.value:
                outcome = "rejected"
            else:
                outcome = "applied" if change.entity in changed else "merged"
            counts[change.origin, outcome] += 1
        for (origin, outcome), number in counts.items():
            self._ledger.count(origin, outcome, number)


def _people(frame: pl.DataFrame, rows: list[int]) -> list[int]:
    """The register's rows of the entities of ``rows``."""
    numbers = frame["_e"].gather(rows)
    theirs = frame.select((pl.col("_authority") == REGISTER) & pl.col("_e").is_in(numbers.implode()))
    return theirs.to_series().arg_true().to_list()
