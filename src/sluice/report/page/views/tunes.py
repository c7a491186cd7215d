"""A tune given as tokens: its notes, and its score where that can be drawn."""

from __future__ import annotations

import re

from sluice.report.page.forward import ForwardRecord
from sluice.report.page.pack import pack_text
from sluice.report.page.view_inputs import TunesView


def pack_tune(view: TunesView, forward: ForwardRecord, sequence: int) -> dict[str, object] | None:
    """Notes and signs of the score with the shown steps that they belong to; None if no music.

    Steps are counted from the first shown; those of a part that is not shown are beyond the axis.
    """
    music = view.read_music(view.pieces[sequence])
    if music is None:
        return None
    start, _ = forward.window
    return {
        "kind": "tunes",
        "notes": [
            [note.token - start, note.stop - start, *_round(note.start, note.length), note.pitch]
            for note in music.notes
        ],
        "bars": _round(*music.bars),
        "score": _pack_picture(music.score),
        "narrowScore": _pack_picture(music.narrow_score),
        "signs": {
            name: [first - start, stop - start] for name, (first, stop) in music.signs.items()
        },
        "remark": music.remark,
    }


def _pack_picture(picture: str | None) -> dict[str, str] | None:
    """An SVG picture without the blanks between its elements."""
    return None if picture is None else pack_text(re.sub(r">\n\s*<", "><", picture))


def _round(*seconds: float) -> list[float]:
    return [round(value, 4) for value in seconds]
