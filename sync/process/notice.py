"""What the owners of rows are told of matches: verdicts, and reviews that a data steward decides.

Used by the reconcile step, for the few contributions that are not simply right. What was said about a contribution is
kept in its entry's flags, so that nothing is said twice and all of it is withdrawn when it stands no more.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sync.process.entity import CODE_SHIFT, REVIEW, VERDICT, Entry, EntryKey, source_row, texts
from sync.process.ledger import Ledger, Origin, Outcome
from sync.process.outbox import Outbox, Subjects
from sync.process.outbox import tell as tell_owner
from sync.process.reason import ACCEPTED, CODES, MESSAGES, OPEN, REFERRED, REFUSED, RULES, UNLIKE, VALID
from sync.process.told import Told
from sync.rule.matching import MATCH
from sync.schema.dataset import Dataset

SEPARATOR = "|"
"""Between the parts of an entity's key where it is told as text."""


_OUTCOMES = {REFUSED: "REJECTED", ACCEPTED: ACCEPTED}
"""What an owner is told of a decided row; of all others that take part, the match."""


class Note(NamedTuple):
    """What a contribution's record says of itself; the names are those of the valid topic's meta fields."""

    fixes: str | None
    warnings: str | None
    proposals: str | None
    topic: str
    partition: int
    locality: str | None
    source: str
    row: str
    facts: str
    """What a decision about it is bound to; empty where there is nothing to decide."""

    mismatches: str | None
    record: str | None
    """What candidates of the register are looked for by, where it is not sure whose record it is."""


class Notices:
    """Puts verdicts, reviews and moved counts of one dataset into a batch's outbox and ledger."""

    def __init__(self, dataset: Dataset, subjects: Subjects, outbox: Outbox, ledger: Ledger, at: int) -> None:
        """``at``: the time of what is said, microseconds since 1970."""
        self._dataset = dataset
        self._matched = dataset.policy.register is not None
        self._subjects = subjects
        self._outbox = outbox
        self._ledger = ledger
        self._at = at

    def say(
        self,
        entry: Entry,
        code: str,
        note: Note,
        entity: bytes,
        *,
        match: str,
        fresh: bool,
        anew: bool = False,
        refusal: Told | None = None,
    ) -> None:
        """Say what a code means. ``match``: that of the match alone. ``fresh``: the version came with this batch.

        ``anew``: whatever was said before may have been overwritten, and that there is nothing to say is said too.
        ``refusal``: of a newer version, which has the word: where both have something to say, it is said.
        """
        was_review, review = bool(entry.flags & REVIEW), _waits(code)
        was_refused = CODES[entry.flags >> CODE_SHIFT] == REFUSED
        tell = code != MATCH or note.fixes is not None or note.warnings is not None
        origin = Origin(note.source, note.topic, note.partition, self._dataset.id)
        if fresh:
            if was_review:
                # A version under review that was replaced is settled; the new one is counted for itself.
                self._ledger.move(origin, "review", "merged")
        else:
            self._ledger.move(origin, _standing(was_review, was_refused), _standing(review, code == REFUSED))
        if code == REFERRED:
            # All is said where it is taken to.
            entry.flags = CODES.index(code) << CODE_SHIFT
            return
        if anew or tell or entry.flags:
            self._tell(entry, code, note, entity, match=match, fresh=fresh, anew=anew, tell=tell, by=refusal)
        entry.flags = (REVIEW if review else 0) | (VERDICT if tell else 0) | CODES.index(code) << CODE_SHIFT

    def _tell(
        self,
        entry: Entry,
        code: str,
        note: Note,
        entity: bytes,
        *,
        match: str,
        fresh: bool,
        anew: bool,
        tell: bool,
        by: Told | None,
    ) -> None:
        """Verdict and review of a contribution: said, changed or withdrawn, as far as ``by``, a refusal, has none."""
        if by is not None and anew:
            by.give(self._outbox, self._subjects, self._dataset)
        was_open, review = CODES[entry.flags >> CODE_SHIFT] in OPEN, code in OPEN
        changed = entry.flags >> CODE_SHIFT != CODES.index(code)
        key = {"source": note.source, "row": note.row}
        # Nobody is told of a match with a register where there is none.
        name, match = (VALID if known == MATCH and not self._matched else known for known in (code, match))
        about: dict[str, Any] = {
            "dataset": self._dataset.id,
            **key,
            "topic": note.topic,
            "entity": SEPARATOR.join(texts(entity)),
            "locality": note.locality,
            "code": name,
            "rule": None if code == MATCH else self._dataset.rules.labels.get(RULES[code]),
            "message_vi": MESSAGES[name][0],
            "message_en": MESSAGES[name][1],
            "proposals": note.proposals,
            "mismatches": note.mismatches,
        }
        reviews = self._subjects.review(self._dataset)
        if by is not None and by.case is not None:
            return
        if review and (fresh or anew or not was_open or changed):
            case = {"stage": "reconcile", "partition": note.partition, "facts": note.facts, "record": note.record}
            self._outbox.add(reviews, key, {**about, **case, "opened_at": self._at, "status": "open"})
        elif (was_open or anew) and not review:
            self._outbox.add(reviews, key, None)
        if by is not None:
            return
        if tell and (fresh or anew or changed):
            said = {"fixes": note.fixes, "warnings": note.warnings}
            outcome = "REVIEW" if _waits(code) else _OUTCOMES.get(code, match)
            verdict = {**about, "outcome": outcome, **said, "decided_at": self._at}
            tell_owner(self._outbox, self._subjects, self._dataset, note.locality, key, verdict)
        elif not tell and (anew or entry.flags & VERDICT):
            tell_owner(self._outbox, self._subjects, self._dataset, note.locality, key, None)

    def withdraw(
        self, entry: Entry, key: EntryKey, origin: Origin, locality: str | None, *, whole: bool = False
    ) -> None:
        """A contribution is closed: nothing that was said about it stands any more. ``locality``: the source's.

        ``whole``: whatever was said last of its row was a refusal. Where something came after it (``entry.after``),
        another has the word about the row: it is counted, not told.
        """
        if entry.flags & REVIEW:
            self._ledger.move(origin, "review", "merged")
        if not entry.after:
            was_open = CODES[entry.flags >> CODE_SHIFT] in OPEN
            self.silence(key, locality, review=whole or was_open, verdict=whole or bool(entry.flags & VERDICT))
        entry.flags = 0

    def refuse(self, refusal: Told) -> None:
        """Say what is told of a refused version whose row contributes nothing, in place of whatever was said."""
        if refusal.case is None:
            self._outbox.add(self._subjects.review(self._dataset), refusal.key, None)
        refusal.give(self._outbox, self._subjects, self._dataset)

    def silence(self, key: EntryKey, locality: str | None, *, review: bool = True, verdict: bool = True) -> None:
        """Take back the case and the verdict of a row, whoever said them."""
        identity = dict(zip(("source", "row"), source_row(key), strict=True))
        if review:
            self._outbox.add(self._subjects.review(self._dataset), identity, None)
        if verdict:
            tell_owner(self._outbox, self._subjects, self._dataset, locality, identity, None)


def _waits(code: str) -> bool:
    """Whether a contribution takes no part until a person has decided."""
    return code in UNLIKE


def _standing(review: bool, refused: bool) -> Outcome:
    """How the ledger counts a version that came earlier; ``merged`` stands for applied too."""
    return "review" if review else "rejected" if refused else "merged"
