"""Sheets to print, A4, as PDF: a unit stroke by stroke, blanks to fill in, and their solutions."""

from __future__ import annotations

import logging

from sluice.cells import GRU, LSTM
from sluice.render.picture import encode_figure
from sluice.render.sketch import draw_blanks, draw_stroke_sheet


def write_sheets(language: str) -> dict[str, bytes]:
    """The pages by their files' names."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it doubts the dates of fonts
    pages = {}
    for name, kind in (("gru", GRU), ("lstm", LSTM)):
        blank, solution = draw_blanks(kind().graph, language=language)
        pages |= {f"{name}-blanks": blank, f"{name}-solution": solution}
    strokes = draw_stroke_sheet(LSTM().graph, output=True, language=language)
    pages |= {f"lstm-strokes-{number}": page for number, page in enumerate(strokes, 1)}
    return {f"{name}.pdf": encode_figure(figure, "pdf") for name, figure in pages.items()}
