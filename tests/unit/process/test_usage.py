"""Only what a source is mapped to is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from sync.process.usage import Usage


@dataclass
class Mapped:
    """A mapped table, as far as its dataset goes."""

    dataset: str


class Registered:
    """Sources whose mapped datasets a test sets."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def poll(self) -> dict[str, Mapped]:
        return {str(number): Mapped(name) for number, name in enumerate(self.names)}


def test_nothing_is_loaded_before_a_source_is_mapped() -> None:
    assert [*Usage(Registered()).fresh()] == []


def test_a_dataset_is_told_once_and_alone() -> None:
    usage = Usage(Registered("organization_unit"))

    assert [dataset.id for dataset in usage.fresh()] == ["organization_unit"]
    assert [*usage.fresh()] == []


def test_a_source_mapped_later_is_noticed() -> None:
    sources = Registered("administrative_unit")
    usage = Usage(sources)
    usage.fresh()
    sources.names = ("administrative_unit", "organization_unit")

    assert [dataset.id for dataset in usage.fresh()] == ["organization_unit"]
