"""What stands below a sketch: the meaning of its shapes, of its colours, and what it leaves out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from sluice.render.sketch.labels import WORDS, measure_line
from sluice.render.sketch.layout import Layout
from sluice.render.sketch.pen import Pen
from sluice.render.sketch.placement import POINTS
from sluice.render.sketch.wire_values import WireValues

_SCALE = 10.0
_LEADING, _ICON, _GAP = 1.9, 1.3, 2.2
_BAR_HEIGHT = 3.4
_WORDS = {
    "en": {
        "layer": "learned layer",
        "pointwise": "pointwise",
        "block": "without learned maps",
        "row": "over all units",
        "dot": "copy",
        "read": "reads the line",
        "join": "side by side",
        "simplified": "simplified: a box for each equation; it reads the lines that have a dot on "
        "its own",
        "values": "value on a wire; a gate is filled as far as it is open",
    },
    "de": {
        "layer": "gelernte Schicht",
        "pointwise": "elementweise",
        "block": "ohne gelernte Abbildung",
        "row": "über alle Einheiten",
        "dot": "Kopie",
        "read": "liest die Leitung",
        "join": "aneinandergehängt",
        "simplified": "vereinfacht: ein Kasten je Gleichung; er liest die Leitungen, die auf "
        "seiner eigenen einen Punkt haben",
        "values": "Wert auf einer Leitung; ein Gate ist so weit gefüllt, wie es offen ist",
    },
}


@dataclass(frozen=True)
class Legend:
    """The legend of one or several sketches, in rows of at most a width."""

    rows: list[list[tuple[str, str]]]
    notes: list[str]
    wire_values: WireValues | None
    values: list[str]

    @classmethod
    def of(
        cls,
        layouts: Sequence[Layout],
        width: float,
        wire_values: WireValues | None = None,
        language: str = "en",
        more: Sequence[str] = (),
    ) -> Legend:
        """The legend of what the sketches show, and of ``more`` kinds of parts."""
        words = _WORDS[language]
        spots = [spot for layout in layouts for spot in layout.placement.positions.values()]
        kinds = {spot.element.kind for spot in spots} | set(more)
        items = [("layer", words["layer"])] if kinds & {"layer", "norm"} else []
        items += [("circle", words["pointwise"])] if kinds & {"circle", "pointwise"} else []
        items += [("block", words["block"])] if "block" in kinds else []
        items += [("row", words["row"])] if "row" in kinds else []
        simplified = any(layout.is_simplified for layout in layouts)
        dots = "read" if simplified else "dot"
        items += [("dot", words[dots])] if any(layout.dots for layout in layouts) else []
        items += [("join", words["join"])] if "join" in kinds else []
        rows: list[list[tuple[str, str]]] = []
        room = 0.0
        for item in items:
            needs = _measure_entry(item[1])
            if needs > room:
                rows.append([])
                room = width + _GAP
            rows[-1].append(item)
            room -= needs
        notes = _wrap(words["simplified"], width) if simplified else []
        values = _wrap(words["values"], width - _SCALE - 1.5) if wire_values else []
        return cls(rows, notes, wire_values, values)

    @property
    def height(self) -> float:
        """How high it is, in tracks."""
        lines = len(self.rows) + len(self.notes)
        bar = max(_BAR_HEIGHT, 1.25 * len(self.values) + 0.7) if self.wire_values else 0.0
        return _LEADING * lines + bar

    def draw(self, pen: Pen, left: float, top: float) -> None:
        """Draw it from a corner on."""
        y = top - _LEADING / 2
        for row in self.rows:
            x = left
            for kind, words in row:
                _draw_icon(pen, kind, x + 0.6, y)
                ink, size = pen.theme.ink, POINTS * WORDS
                pen.draw_text(x + _ICON + 0.3, y, words, ink, size, "left")
                x += _measure_entry(words)
            y -= _LEADING
        for line in self.notes:
            pen.draw_text(left, y, line, pen.theme.ink, POINTS * WORDS, "left")
            y -= _LEADING
        if self.wire_values:
            self._draw_colour_bar(pen, self.wire_values, left, y)

    def _draw_colour_bar(self, pen: Pen, wire_values: WireValues, left: float, y: float) -> None:
        """Which colour is which value, in a row of its own."""
        width, parts, y = _SCALE, 40, y - 0.2
        for k in range(parts):
            shade = wire_values.map_colour(wire_values.limit * (2 * (k + 0.5) / parts - 1))
            corner = (left + width * k / parts, y - 0.4)
            pen.draw_rectangle(corner, width / parts * 1.05, 0.8, facecolor=shade)
        pen.draw_rectangle((left, y - 0.4), width, 0.8, fill=False, edgecolor=pen.theme.ink)
        for at, value in ((0.0, -wire_values.limit), (0.5, 0.0), (1.0, wire_values.limit)):
            place = (left + at * width, y - 1.3)
            pen.draw_text(*place, f"${value:.3g}$", pen.theme.ink, POINTS * 0.6)
        for k, line in enumerate(self.values):
            place = (left + width + 1.0, y - 1.25 * k)
            pen.draw_text(*place, line, pen.theme.ink, POINTS * WORDS, "left")


def _wrap(words: str, width: float) -> list[str]:
    """Lines of at most a width, in tracks."""
    return textwrap.wrap(words, max(16, int(width / measure_line("n"))))


def _measure_entry(words: str) -> float:
    return _ICON + 0.3 + measure_line(words) + _GAP


def _draw_icon(pen: Pen, kind: str, x: float, y: float) -> None:
    ink = pen.theme.ink
    if kind == "dot":
        pen.draw_dot((x, y), ink)
    elif kind == "join":
        pen.draw_shape("bar", x, y, 0.15, 0.6, ink, ink)
    else:
        fill = pen.theme.layer if kind == "layer" else pen.theme.pointwise
        pen.draw_shape(kind, x, y, 0.6, 0.6, fill, ink, width=1.2)
