"""What is told of a version that was refused: from the validate step, which refuses it, to the reconcile step.

Verdict and review of a row have one key, and the reconcile step may still be at an older version of the row, of which
it has something to say too. So the validate step tells nothing itself of a row that ever contributed to an entity. It
sends what is to be told along the row's own way, behind the older versions (``emission``); the reconcile step tells it
when it gets there, keeps it with the entity, and says nothing else of the row until a newer version comes (``parked``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sync.process.outbox import Outbox, Subjects, tell
from sync.schema.dataset import Dataset


class Told(NamedTuple):
    """A refusal: the verdict, and the case for a data steward where it waits for one; records without their keys."""

    verdict: dict[str, Any]
    case: dict[str, Any] | None = None

    def text(self) -> str:
        """As the valid topic's ``_refusal`` has it; a key's bytes in hexadecimal."""
        case = None if self.case is None else {**self.case, "key": self.case["key"].hex()}
        return json.dumps({"verdict": self.verdict, "case": case}, ensure_ascii=False)

    @staticmethod
    def parse(text: str | bytes) -> Told:
        """From ``text``."""
        told = json.loads(text)
        case = told["case"]
        return Told(told["verdict"], None if case is None else {**case, "key": bytes.fromhex(case["key"])})

    def give(self, outbox: Outbox, subjects: Subjects, dataset: Dataset) -> None:
        """Tell the owner, and open the case if there is one."""
        key = self.key
        tell(outbox, subjects, dataset, self.verdict["locality"], key, self.verdict)
        if self.case is not None:
            outbox.add(subjects.review(dataset), key, self.case)

    @property
    def key(self) -> Mapping[str, str]:
        """Which row it is about."""
        return {"source": self.verdict["source"], "row": self.verdict["row"]}
