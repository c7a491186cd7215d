"""What a report says of the times of sequences: the usual step, repeats, gaps, odd steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sluice.option_names import name_option
from sluice.sequence.data.clocks import format_time
from sluice.sequence.data.ragged import Array, RaggedArray
from sluice.sequence.data.report import pluralize
from sluice.sequence.data.time_steps import TimeStep, count_steps, describe_distances, find_step


def describe_steps(
    times: RaggedArray, names: Sequence[str], zone: str = "", pattern: str = ""
) -> tuple[str, ...]:
    """What the report says of the times of ordered sequences.

    The usual step, repeated times, gaps and irregular steps, each with the first place.

    Args:
        times: of all steps.
        names: of the sequences.
        zone: the zone of dates.
        pattern: how times are written, as in `format_time`.
    """
    findings = [_inspect(one, zone) for one in times]
    steps = {str(one.step) for one in findings if one.step is not None}
    notes = []
    if len(steps) == 1 and all(one.step or one.steps < 2 for one in findings):
        notes.append(f"Usual step: {steps.pop()}.")
    elif len(steps) > 1:
        notes.append(f"Usual steps: {', '.join(sorted(steps)[:5])}, by series.")
    several = len(names) > 1

    def show(place: int, at: int) -> str:
        shown = format_time(times[place][at], zone, pattern)
        return f"{shown} of series {names[place]}" if several else shown

    def total(field: str) -> tuple[int, str]:
        counts = [getattr(one, field) for one in findings]
        place = next((place for place, count in enumerate(counts) if count), 0)
        at = getattr(findings[place], f"first_{field}")
        return sum(counts), show(place, at) if sum(counts) else ""

    repeated, where = total("repeated")
    if repeated:
        every = all(one.pairs for one in findings)
        hint = (
            f"every time occurs as often; {name_option('id')} names several series"
            if every
            else "kept as steps of their own"
        )
        notes.append(
            f"{pluralize(repeated, 'row')} with the time of the row before, the first at {where}: "
            f"{hint}; {name_option('regular')} makes one step of them."
        )
    gaps, where = total("gaps")
    if gaps:
        missing = sum(one.lost for one in findings)
        notes.append(
            f"{pluralize(gaps, 'gap')}, {pluralize(missing, 'step')} missing, the first after "
            f"{where}; {name_option('regular')} fills them."
        )
    odd, where = total("irregular")
    if odd:
        notes.append(f"{pluralize(odd, 'irregular step')}, the first after {where}.")
    loose = [place for place, one in enumerate(findings) if one.step is None and one.steps > 1]
    if loose:
        whose = f" in series {names[loose[0]]}" if several else ""
        notes.append(
            f"No usual step{whose}: {describe_distances(times[loose[0]])}; steps count as equal, "
            f"{name_option('regular')} makes them so."
        )
    return tuple(notes)


@dataclass(frozen=True)
class _Findings:
    """What is odd about the times of one sequence, with the index of the first of each kind."""

    step: TimeStep | None
    steps: int
    repeated: int = 0
    first_repeated: int = 0
    pairs: bool = False
    gaps: int = 0
    first_gaps: int = 0
    lost: int = 0
    irregular: int = 0
    first_irregular: int = 0


def _inspect(times: Array, zone: str) -> _Findings:
    step = find_step(times, zone)
    same = times[1:] == times[:-1]
    repeated = int(same.sum())
    first = int(np.argmax(same)) + 1 if repeated else 0
    different = len(times) - repeated
    pairs = False
    if repeated:
        often = np.diff(np.flatnonzero(np.concatenate(([True], ~same, [True]))))
        pairs = bool(len(often) > 1 and (often == often[0]).all() and often[0] > 1)
    if step is None or _are_equal(times, step):
        return _Findings(step, different, repeated, first, pairs)
    counts = count_steps(times, step, zone)
    whole = counts == np.round(counts)
    gaps, odd = whole & (counts > 1), ~whole
    return _Findings(
        step,
        different,
        repeated,
        first,
        pairs,
        int(gaps.sum()),
        int(np.argmax(gaps)) if gaps.any() else 0,
        int((counts[gaps] - 1).sum()),
        int(odd.sum()),
        int(np.argmax(odd)) if odd.any() else 0,
    )


def _are_equal(times: Array, step: TimeStep) -> bool:
    """Whether all dates have the usual distance, as measured ones mostly have."""
    if not step.dates or step.months or step.weekdays or step.local or len(times) < 2:
        return False
    distances = np.diff(times).astype("timedelta64[us]", copy=False)
    return bool((distances == np.timedelta64(round(step.length), "us")).all())
