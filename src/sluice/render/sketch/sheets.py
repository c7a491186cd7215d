"""Printed pages, A4 upright: how to draw a cell stroke by stroke, and a sheet of blanks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sluice.equations.graph import Graph
from sluice.render.latex import format_equations
from sluice.render.picture import create_figure, use_rc_settings
from sluice.render.sketch.boxes import Box
from sluice.render.sketch.labels import Label
from sluice.render.sketch.layout import Layout, build_layout
from sluice.render.sketch.norm_bars import BAR_TALL, NormBar
from sluice.render.sketch.output_layer import OutputLayer
from sluice.render.sketch.page import MARGIN, Page, measure_unit
from sluice.render.sketch.pen import Pen
from sluice.render.sketch.placement import POINTS, TRACK, ElementPosition
from sluice.render.sketch.shades import Shades
from sluice.render.sketch.strokes import StrokePlan
from sluice.render.sketch.unit import UnitDrawing
from sluice.render.sketch.words import check_language
from sluice.render.theme import Theme, get_theme
from sluice.render.typeset import measure_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT, _SIDE = 210 / 25.4, 297 / 25.4, 0.6
"""A4, and its margins, in inches."""
_COLUMNS, _ROWS, _CAPTION_LINES = 2, 3, 4
_TITLE, _TEXT, _SMALL = 16.0, 10.5, 8.0
_RULE = 0.36
"""Inches from one line to write on to the next."""
_WORDS = {
    "en": {
        "strokes": "How to draw the {name}",
        "page": "{number} of {count}",
        "blanks": "{name}: fill in the symbols, the names and the equations",
        "solution": "{name}: solution",
        "equations": "Equations",
        "who": "Name: ________________________    Date: ______________",
    },
    "de": {
        "strokes": "{name} zeichnen, Schritt für Schritt",
        "page": "{number} von {count}",
        "blanks": "{name}: Symbole, Namen und Gleichungen eintragen",
        "solution": "{name}: Lösung",
        "equations": "Gleichungen",
        "who": "Name: ________________________    Datum: ______________",
    },
}


def draw_strokes(
    graph: Graph, theme: str = "light", *, output: bool = False, language: str = "en"
) -> list[Figure]:
    """How to draw a unit by hand: a picture for each stroke, numbered, with a sentence below.

    The lines of the states come first, then what comes in, then gate after gate, each with what
    it acts on. A stroke stands out from those before it; what is still to come is not shown.

    Args:
        graph: The equations of the cell.
        theme: ``"light"`` or ``"dark"``.
        output: Whether the output layer is drawn last.
        language: That of captions: ``"en"`` or ``"de"``.

    Raises as `draw_sketch`.

    Example:
        >>> from sluice.cells import Elman
        >>> pictures = draw_strokes(Elman().graph)
        >>> [text.get_text() for text in pictures[0].axes[0].texts][-1]
        '1  What comes in, side by side: $[h_{t-1},\\\\ x_{t}]$.'
    """
    check_language(language)
    with use_rc_settings():
        series = _Strokes(graph, get_theme(theme), output, language)
        found: list[Figure] = []
        area = series.area
        lines = max(len(series.wrap(k, area.right - area.left)) for k in range(series.count))
        whole = Box(area.left, area.bottom - 2.2 * lines - 0.4, area.right, area.top)
        for number in range(series.count):
            page = Page(whole.grow(MARGIN), series.theme)
            series.draw(page.pen, number)
            for k, line in enumerate(series.wrap(number, area.right - area.left)):
                y = area.bottom - 1.4 - 2.2 * k
                page.pen.draw_text(area.left, y, line, series.theme.ink, POINTS * 0.8, "left")
            found.append(page.figure)
        return found


def draw_stroke_sheet(
    graph: Graph, theme: str = "light", *, output: bool = False, language: str = "en"
) -> list[Figure]:
    """The strokes of `draw_strokes` on pages to be printed, six on each.

    Example:
        >>> from sluice.cells import LSTM
        >>> len(draw_stroke_sheet(LSTM().graph, output=True))
        2
    """
    check_language(language)
    with use_rc_settings():
        series, words = _Strokes(graph, get_theme(theme), output, language), _WORDS[language]
        each = _COLUMNS * _ROWS
        pages = -(-series.count // each)
        found: list[Figure] = []
        for page in range(pages):
            sheet = _Sheet(series.theme, words["strokes"].format(name=graph.name))
            if pages > 1:
                sheet.add_note(words["page"].format(number=page + 1, count=pages))
            for place, number in enumerate(
                range(page * each, min((page + 1) * each, series.count))
            ):
                sheet.add_stroke(series, number, place)
            found.append(sheet.figure)
        return found


def draw_blanks(
    graph: Graph, theme: str = "light", *, output: bool = False, language: str = "en"
) -> list[Figure]:
    """Two pages to be printed: the unit without symbols and names, and its solution.

    On the first one there are lines to write the equations on.

    Args:
        graph: The equations of the cell.
        theme: ``"light"`` or ``"dark"``.
        output: Whether to draw the output layer on the second page.
        language: That of words: ``"en"`` or ``"de"``.

    Raises as `draw_sketch`.

    Example:
        >>> from sluice.cells import LSTM
        >>> blank, solution = draw_blanks(LSTM().graph)
        >>> ["forget gate" in [t.get_text() for axes in page.axes for t in axes.texts]
        ...  for page in (blank, solution)]
        [False, True]
    """
    check_language(language)
    with use_rc_settings():
        colours, words = get_theme(theme), _WORDS[language]
        layout = build_layout(graph, None, language)
        layer = OutputLayer.beside(layout) if output else None
        layout = layer.extend_ends(layout) if layer else layout
        lines = [line.latex for line in format_equations(graph).lines]
        blank = _Sheet(colours, words["blanks"].format(name=graph.name))
        blank.add_note(words["who"])
        below = blank.add_unit(layout, layer, is_blank=True)
        blank.add_rules(words["equations"], below, len(lines))
        solution = _Sheet(colours, words["solution"].format(name=graph.name))
        below = solution.add_unit(layout, layer, is_blank=False)
        solution.add_equations(words["equations"], below, lines)
        return [blank.figure, solution.figure]


class _Strokes:
    """The strokes of a cell, each to be drawn anywhere."""

    def __init__(self, graph: Graph, theme: Theme, output: bool, language: str) -> None:
        self.theme = theme
        layout = build_layout(graph, None, language)
        self.layer = OutputLayer.beside(layout) if output else None
        layout = self.layer.extend_ends(layout) if self.layer else layout
        self.plan = StrokePlan.of(layout, language, output)
        self.area = measure_unit(self.plan.layout)
        if self.layer:
            self.area = self.area.join(self.layer.box)
        self.count = len(self.plan.captions)

    def draw(self, pen: Pen, number: int) -> None:
        """The unit as far as a stroke."""
        shades = Shades(self.theme, number + 1, current=number, has_future=False)
        unit = UnitDrawing(self.plan.layout, pen, None, shades)
        unit.draw_outline()
        unit.draw_unit()
        if self.layer and number == self.count - 1:
            layer = OutputLayer(self.layer.x, self.layer.start, self.layer.top, number)
            layer.draw(pen, shades)

    def wrap(self, number: int, width: float, points: float = POINTS * 0.8) -> list[str]:
        """A stroke's number and caption in lines of at most so many tracks."""
        return list(wrap_mixed(f"{number + 1}  {self.plan.captions[number]}", width, points))


def wrap_mixed(text: str, width: float, points: float) -> Iterator[str]:
    """Lines of a text with mathematics, at most ``width`` tracks wide."""
    line, is_math, word = "", False, ""
    for letter in f"{text} ":
        is_math ^= letter == "$"
        if letter != " " or is_math or not word.strip():
            word += letter
            continue
        if line and measure_text(f"{line} {word}", points)[0] / TRACK > width:
            yield line
            line, word = word, ""
        else:
            line, word = f"{line} {word}" if line else word, ""
    yield line


class _Sheet:
    """A page of A4."""

    def __init__(self, theme: Theme, title: str) -> None:
        self.theme = theme
        self.figure = create_figure(_WIDTH, _HEIGHT, theme)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(0, _WIDTH)
        self.axes.set_ylim(0, _HEIGHT)
        self.axes.set_axis_off()
        self.top = _HEIGHT - _SIDE - 0.2
        self._write(_SIDE, self.top, title, _TITLE)

    def _write(self, x: float, y: float, text: str, points: float, ha: str = "left") -> None:
        style = {"size": points, "color": self.theme.ink, "ha": ha, "va": "center"}
        self.axes.text(x, y, text, **style)  # type: ignore[arg-type]

    def add_note(self, text: str) -> None:
        """A line below the title."""
        self._write(_SIDE, self.top - 0.4, text, _TEXT)

    def add_stroke(self, series: _Strokes, number: int, place: int) -> None:
        """A stroke with its caption, in one of the places of the page."""
        width = (_WIDTH - 2 * _SIDE - 0.4) / _COLUMNS
        height = (self.top - 0.7 - _SIDE) / _ROWS
        left = _SIDE + (place % _COLUMNS) * (width + 0.4)
        top = self.top - 0.6 - (place // _COLUMNS) * height
        below = _CAPTION_LINES * 0.17 + 0.15
        pen, bottom = self._fit(series.area, left, top, width, height - below)
        series.draw(pen, number)
        for k, line in enumerate(series.wrap(number, width / TRACK, _SMALL)):
            self._write(left, bottom - 0.14 - 0.17 * k, line, _SMALL)

    def _fit(
        self, area: Box, left: float, top: float, width: float, height: float
    ) -> tuple[Pen, float]:
        """A pen for a sketch within a rectangle of the page, and where the sketch ends below."""
        area = area.grow(MARGIN)
        wide, tall = (area.right - area.left) * TRACK, (area.top - area.bottom) * TRACK
        scale = min(1.0, width / wide, height / tall)
        bottom = top - tall * scale
        rectangle = (left / _WIDTH, bottom / _HEIGHT, wide * scale / _WIDTH, tall * scale / _HEIGHT)
        axes = self.figure.add_axes(rectangle)
        axes.set_xlim(area.left, area.right)
        axes.set_ylim(area.bottom, area.top)
        axes.set_axis_off()
        return Pen(axes, self.theme, scale=scale), bottom

    def add_unit(self, layout: Layout, layer: OutputLayer | None, is_blank: bool) -> float:
        """The unit below the title; the height at which it ends."""
        area = measure_unit(layout)
        area = area.join(layer.box) if layer else area
        pen, bottom = self._fit(area, _SIDE, self.top - 0.75, _WIDTH - 2 * _SIDE, 5.2)
        unit = _BlankDrawing(layout, pen) if is_blank else UnitDrawing(layout, pen)
        unit.draw_outline()
        unit.draw_unit()
        if layer and not is_blank:
            layer.draw(pen, Shades(self.theme))
        return bottom - 0.5

    def add_rules(self, title: str, top: float, count: int) -> None:
        """Lines to write on."""
        self._write(_SIDE, top, title, _TEXT)
        pitch = min(_RULE * 1.3, (top - _SIDE) / (count + 1))
        for k in range(1, count + 1):
            y = top - k * pitch
            ends = [_SIDE, _WIDTH - _SIDE]
            self.axes.plot(ends, [y, y], color=self.theme.ink, linewidth=0.6, linestyle=(0, (1, 2)))

    def add_equations(self, title: str, top: float, lines: list[str]) -> None:
        """The equations, one below the other."""
        self._write(_SIDE, top, title, _TEXT)
        pitch = min(_RULE, (top - _SIDE) / (len(lines) + 1))
        for k, line in enumerate(lines, 1):
            width = measure_text(f"${line}$", _TEXT * 1.2)[0]
            points = _TEXT * 1.2 * min(1.0, (_WIDTH - 2 * _SIDE) / width)
            self._write(_SIDE, top - k * pitch, f"${line}$", points)


class _BlankDrawing(UnitDrawing):
    """A unit without symbols and names: empty parts, and lines to write on beside its wires."""

    def _draw_symbol(self, position: ElementPosition, ink: str) -> None:
        """A part stays empty."""

    def _draw_norm_bar(self, bar: NormBar) -> None:
        left, right = bar.ends
        place = (left + right) / 2, bar.y, (right - left) / 2
        self.pen.draw_shape("bar", *place, BAR_TALL, self.theme.layer, self.theme.ink)

    def _draw_label(self, label: Label) -> None:
        if label.small or not (label.text or label.words):
            return
        box, texts = label.box, [label.text, label.words]
        lines = [text for text in texts if text]
        for k in range(len(lines)):
            y = box.bottom + 0.15 + 1.2 * k
            ends = [(box.left + 0.1, y), (max(box.right, box.left + 2.2) - 0.1, y)]
            self.pen.draw_line(ends, self.theme.ink, 0.7)
