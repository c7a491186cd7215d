"""The dances of O'Neill's Music of Ireland, by the order in which the book prints its tunes.

Francis O'Neill, "O'Neill's Music of Ireland" (Chicago 1903), prints its 1,850 tunes kind by kind.
The ABC files number them as the book does, and name the dance of about half.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path

from sluice.tunes.notation.abc_file import Block

FOLDER = "oneills1850"
_LAST_NUMBERS = (700, 1115, 1175, 1555, 1780, 1800, 1850)
_DANCES = ("air", "jig", "slip jig", "reel", "hornpipe", "long dance", "march")
"""Up to 700 airs (the last 75 by Carolan), then double jigs, slip jigs, reels, hornpipes, long
dances; the last fifty are marches and miscellaneous tunes."""


def find_printed_dance(block: Block) -> str:
    """The dance that the book prints a tune under, or nothing for a tune of another collection."""
    number = block.lines[0].text.removeprefix("X:").strip()
    if Path(block.source).parent.name != FOLDER or not number.isdigit():
        return ""
    place = bisect_left(_LAST_NUMBERS, int(number))
    return _DANCES[place] if int(number) > 0 and place < len(_DANCES) else ""
