"""What all data that was read from files has: names, groups, a split and a report."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from sluice.sequence.data.report import LoadReport, SkippedItem
from sluice.sequence.data.splits import select_items


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadedData:
    """Sequences from files.

    Attributes:
        names: what each sequence is called.
        groups: the group of each sequence, which a split keeps together.
        predefined_split: the indices of "train", "validation" and "test", if the files give them.
        load_report: what was read and what was skipped.
        load_options: the format ("kind") and the options that `load_data` read it with.
    """

    names: Sequence[str] = ()
    groups: Sequence[Hashable] = ()
    predefined_split: Mapping[str, Sequence[int]] = field(default_factory=dict)
    load_report: LoadReport = field(default_factory=LoadReport)
    load_options: Mapping[str, object] = field(default_factory=dict)

    @property
    def strata(self) -> Sequence[Hashable]:
        """The class of each sequence, by which a split draws; empty without one per sequence."""
        return ()

    @property
    def skipped_items(self) -> tuple[SkippedItem, ...]:
        """What was skipped, where and why."""
        return self.load_report.skipped_items

    def report(self) -> str:
        """What was read, and what was skipped where and why, as text."""
        return self.load_report.to_text()

    def _select_names(self, indices: Sequence[int]) -> Self:
        """With the names and groups of the sequences at `indices`, which are to be selected."""
        return replace(
            self,
            names=select_items(self.names, indices),
            groups=select_items(self.groups, indices),
            predefined_split={},
        )
