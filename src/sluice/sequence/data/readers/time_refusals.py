"""Why a column holds no times, and what to say instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.option_names import name_option, name_setting
from sluice.sequence.data.readers.time_suggestions import is_month, is_time_of_day, suggest_patterns

if TYPE_CHECKING:
    import pyarrow as pa


def suggest_no_time() -> str:
    """How to leave the rows in their order, for messages."""
    return f"{name_setting('no_time', True)} keeps the rows in their order"


def describe_refusal(name: str, wrong: pa.Array, cells: pa.Array, time_format: str | None) -> str:
    """Why a column holds no times, and what to say instead."""
    from pyarrow import compute

    known = cells.drop_null()
    if not len(known):
        return (
            f"column {name!r} is empty; {name_option('time')} names another, {suggest_no_time()}."
        )
    first = (wrong if len(wrong) else known)[0].as_py()
    found = suggest_patterns(known)
    number = f"all {len(known):,}" if len(known) > 1 else "it"
    if time_format is not None:
        hint = f"; {number} fit {list_settings(found)}" if found else ""
        return (
            f"column {name!r} has {first!r}, which does not fit "
            f"{name_setting('time_format', time_format)}{hint}."
        )
    if len(found) == 1:
        return (
            f"column {name!r} holds dates that are not ISO 8601 ({first!r}); {number} fit "
            f"{found[0]}: say {name_setting('time_format', found[0])}, or {suggest_no_time()}."
        )
    if found:
        return (
            f"column {name!r} holds dates that can be read in several ways ({first!r}); say which: "
            f"{list_settings(found)}; or {suggest_no_time()}."
        )
    if all(is_time_of_day(cell) for cell in compute.unique(known[:1000]).to_pylist()):
        return (
            f"column {name!r} holds times of day without a date ({first!r}), which give no order; "
            f"name all columns of the time, such as {name_setting('time', f'date,{name}')}, or "
            f"{suggest_no_time()}."
        )
    if all(is_month(cell) for cell in compute.unique(known[:1000]).to_pylist()):
        both, form = name_setting("time", f"year,{name}"), name_setting("time_format", "%Y %B")
        return (
            f"column {name!r} holds months without a year ({first!r}), which give no order beyond "
            f"one; a column of years beside it makes dates of them, as {both} and {form}; "
            f"{suggest_no_time()}."
        )
    return (
        f"column {name!r} holds no times: {first!r} is neither a number nor an ISO date; "
        f"{name_option('time_format')} gives the format of other dates, "
        f"{name_option('time')} names another column, {suggest_no_time()}."
    )


def list_settings(patterns: Sequence[str]) -> str:
    return " or ".join(name_setting("time_format", one) for one in patterns[:4])
