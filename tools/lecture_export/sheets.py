"""Sheets to print, A4, as PDF: a unit stroke by stroke, blanks to fill in, and their solutions."""

from __future__ import annotations

from sluice.cells import GRU, LSTM, Elman
from sluice.render.picture import encode_figure
from sluice.render.sketch import draw_blanks, draw_stroke_sheet


def write_sheets(language: str) -> dict[str, bytes]:
    """The pages by their files' names."""
    found = {}
    for name, kind in (("elman", Elman), ("gru", GRU), ("lstm", LSTM)):
        graph = kind().graph
        blank, solution = draw_blanks(graph, language=language)
        pages = {f"{name}-blanks": blank, f"{name}-solution": solution}
        strokes = draw_stroke_sheet(graph, output=True, language=language)
        pages |= {f"{name}-strokes-{number}": page for number, page in enumerate(strokes, 1)}
        found |= {f"{page}.pdf": encode_figure(figure, "pdf") for page, figure in pages.items()}
    return found
