"""Draws a placed and wired sketch with matplotlib: one drawing for SVG, PNG and PDF."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluice.equations.graph import Graph, Node
from sluice.render.picture import use_rc_settings
from sluice.render.sketch.boxes import Box
from sluice.render.sketch.captions import build_captions
from sluice.render.sketch.layout import Layout, build_layout
from sluice.render.sketch.legend import Legend
from sluice.render.sketch.output_layer import OutputLayer
from sluice.render.sketch.page import MARGIN, Page, measure_unit
from sluice.render.sketch.placement import POINTS, TRACK
from sluice.render.sketch.shades import Shades
from sluice.render.sketch.unit import UnitDrawing
from sluice.render.sketch.wire_values import WireValues
from sluice.render.sketch.words import check_language
from sluice.render.theme import get_theme
from sluice.render.typeset import measure_text, measure_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEADING, _CAPTION, _TITLE = 2.6, 0.85, 0.8


def draw_sketch(
    graph: Graph,
    theme: str = "light",
    num_steps: int | None = None,
    *,
    values: Mapping[str | Node, float] | None = None,
    title: str | None = None,
    reverse: bool = False,
    output: bool = False,
    language: str = "en",
) -> Figure:
    r"""The unit of ``graph`` as a matplotlib figure; ``num_steps`` reveals only its first steps.

    With ``values``, by name (``"forget"``; ``"c before"`` for a state as the step finds it) or by
    node, wires are coloured by what they carry, numbers are beside the symbols, and a gate's σ
    is filled as far as it is open. ``title`` is above.

    A cell too intricate for a part for each operation gets a box for each of its equations; the
    caption says so.

    Args:
        graph: The equations of the cell.
        theme: ``"light"`` or ``"dark"``.
        num_steps: How many steps of `draw_series` are drawn in ink.
        values: The numbers to show.
        title: What stands above.
        reverse: Whether the layer runs backwards: the states that come in are those of t + 1.
        output: Whether to draw the output layer, y = softmax(V h + b), which is no part of a cell.
        language: That of words: ``"en"`` or ``"de"``.

    Raises MissingExtraError without matplotlib, KeyError for an unknown name in ``values``,
    ValueError for an unknown theme or language, or a value that is not finite.

    Example:
        >>> from sluice.cells import LSTM
        >>> texts = [text.get_text() for text in draw_sketch(LSTM().graph).axes[0].texts]
        >>> r"$\sigma$" in texts, "forget gate" in texts
        (True, True)
        >>> shown = draw_sketch(LSTM().graph, values={"forget": 0.93})
        >>> "$0.93$" in [text.get_text() for text in shown.axes[0].texts]
        True
    """
    colours = get_theme(theme)
    check_language(language)
    with use_rc_settings():
        painted = None if values is None else WireValues.from_values(graph, values, colours)
        numbers = None if painted is None else painted.format_all()
        made = build_layout(graph, numbers, language, reverse)
        drawing = Drawing(
            made,
            Shades(colours, num_steps),
            wire_values=painted,
            title=title,
            output=output,
            language=language,
        )
        drawing.draw_unit()
        return drawing.figure


def draw_series(
    graph: Graph, theme: str = "light", *, reverse: bool = False, language: str = "en"
) -> list[Figure]:
    """The unit revealed step by step, each with its equations.

    The new step stands out, those before it are quiet, and what is still to come is faint. An
    LSTM's steps are forget, input, update and output. The options are those of `draw_sketch`.

    Example:
        >>> from sluice.cells import LSTM
        >>> len(draw_series(LSTM().graph))
        4
    """
    check_language(language)
    with use_rc_settings():
        made = build_layout(graph, None, language, reverse)
        lines, found = build_captions(made.placement, reverse), []
        for step, mine in enumerate(lines):
            shades = Shades(get_theme(theme), step + 1, current=step)
            drawing = Drawing(made, shades, lines=max(map(len, lines)), language=language)
            drawing.draw_unit()
            drawing.draw_captions(mine)
            found.append(drawing.figure)
        return found


class Drawing:
    """A page with one unit, its legend, and below it room for equations."""

    def __init__(
        self,
        layout: Layout,
        shades: Shades,
        *,
        wire_values: WireValues | None = None,
        title: str | None = None,
        lines: int = 0,
        output: bool = False,
        language: str = "en",
    ) -> None:
        """``lines`` is how many lines of equations there is to be room for."""
        self.output_layer = OutputLayer.beside(layout) if output else None
        if self.output_layer:
            layout = self.output_layer.extend_ends(layout)
        self.layout, self.theme, self.title = layout, shades.theme, title
        area = measure_unit(layout)
        if self.output_layer:
            area = area.join(self.output_layer.box)
        right, top = area.right, area.top
        if title:
            width = measure_words(title, POINTS * _TITLE)[0] / TRACK
            right, top = max(right, layout.box.left + width), top + 2.4
        right = max(right, layout.box.left + (26.0 if wire_values else 16.0))
        self.left = layout.box.left
        more = ("layer",) if output else ()
        self.legend = Legend.of([layout], right - self.left, wire_values, language, more)
        self.legend_top = area.bottom - 0.9
        self.captions_top = self.legend_top - self.legend.height - 0.6
        bottom = self.captions_top - (lines * _LEADING if lines else 0.0)
        whole = Box(area.left - MARGIN, bottom, right + MARGIN, top + MARGIN)
        self.page = Page(whole, shades.theme)
        self.figure, self.pen, self.top = self.page.figure, self.page.pen, top
        self.unit = UnitDrawing(layout, self.pen, wire_values, shades)
        self._draw_frame()

    def _draw_frame(self) -> None:
        self.unit.draw_outline()
        self.legend.draw(self.pen, self.left, self.legend_top)
        if self.title:
            y = self.top - 0.8
            self.pen.draw_text(self.left, y, self.title, self.theme.ink, POINTS * _TITLE, "left")

    def draw_unit(self) -> None:
        """The unit, and the output layer if there is one."""
        if self.output_layer:
            self.output_layer.draw(self.pen, self.unit.shades)
        self.unit.draw_unit()

    def draw_captions(self, lines: list[str], first: int = 0, step: int = 0) -> None:
        """Equations below, from line ``first`` on."""
        y = self.captions_top - 0.5 * _LEADING
        room = self.page.area.right - self.left - 1
        for number, line in enumerate(lines, first):
            width = measure_text(f"${line}$", POINTS * _CAPTION)[0] / TRACK
            size = POINTS * _CAPTION * min(1.0, room / width)
            place = (self.left, y - number * _LEADING)
            self.pen.draw_text(*place, f"${line}$", self.theme.ink, size, "left", step)
