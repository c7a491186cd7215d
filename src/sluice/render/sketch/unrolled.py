"""A cell unrolled over several steps of time: the one in the middle shows its inside."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.equations.graph import Graph, Leaf
from sluice.render.picture import PictureError, use_rc_settings
from sluice.render.sketch.boxes import Box
from sluice.render.sketch.captions import shift_time
from sluice.render.sketch.labels import Label, box_around
from sluice.render.sketch.layout import Layout, build_layout
from sluice.render.sketch.output_layer import OutputLayer, extend_ends, find_end, find_riser
from sluice.render.sketch.routing import Wire
from sluice.render.sketch.scene import Scene
from sluice.render.sketch.words import check_language
from sluice.render.theme import get_theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _GAP, _RISE = 9.0, 5.5, 3.0
_MOST_STEPS = 9


def draw_unrolled(
    graph: Graph,
    steps: int = 3,
    theme: str = "light",
    *,
    output: bool = False,
    language: str = "en",
) -> Figure:
    """The same cell at several steps in a row, with what each hands on to the next.

    The one in the middle, at step t, shows its inside.

    Args:
        graph: The equations of the cell.
        steps: How many, from 2 to 9.
        theme: ``"light"`` or ``"dark"``.
        output: Whether each has an output y, and the middle one its output layer.
        language: That of words: ``"en"`` or ``"de"``.

    Raises PictureError for another number of steps, and for a cell that is too intricate to be
    drawn with a part for each operation; else as `draw_sketch`.

    Example:
        >>> from sluice.cells import LSTM
        >>> written = [text.get_text() for text in draw_unrolled(LSTM().graph).axes[0].texts]
        >>> [name in written for name in ("$x_{t-1}$", "$x_{t}$", "$x_{t+1}$", "$x_{t+2}$")]
        [True, True, True, False]
    """
    if not 2 <= steps <= _MOST_STEPS:
        raise PictureError(f"a cell is drawn at 2 to {_MOST_STEPS} steps in a row, got {steps}")
    check_language(language)
    with use_rc_settings():
        layout = build_full_layout(graph, language)
        scene = Scene(get_theme(theme), language)
        before = (steps - 1) // 2
        _Row(scene, layout, output).add(before, steps - 1 - before)
        return scene.draw()


def build_full_layout(graph: Graph, language: str) -> Layout:
    """The layout of a unit among others. Raises PictureError where it is a simplified one."""
    layout = build_layout(graph, None, language)
    if layout.is_simplified:
        raise PictureError(
            f"{graph.name} is too intricate for a sketch of several units; draw one alone"
        )
    return layout


class _Row:
    """Adds the units of a row to a scene, the middle one at its origin."""

    def __init__(self, scene: Scene, layout: Layout, output: bool) -> None:
        self.scene, self.layout = scene, layout
        self.graph = layout.placement.graph
        self.layer = OutputLayer.beside(layout) if output else None
        labels = [label.box.left for label in layout.labels]
        self.left = float(math.floor(min([layout.box.left, *labels]) - 0.8))
        self.right = find_riser(layout) + (2.0 if output else 0.5)

    def add(self, before: int, after: int) -> None:
        """The middle unit, so many before it, and so many after it."""
        middle = extend_ends(self.layout, round(self.right))
        read = {leaf for leaf in self.graph.state_leaves if self._is_read(leaf)}
        starts = [self._start_earlier(wire, read) for wire in middle.wires]
        self.scene.add_unit(replace(middle, wires=starts))
        if self.layer:
            self.scene.add_output_layer(self.layer)
        for k in range(1, before + 1):
            left = self.left - k * _WIDTH - (k - 1) * _GAP
            self._add_neighbour(left, -k)
            self._add_states(left - _GAP, left, -k)
        first = round(self.right) + 1.0
        for k in range(1, after + 1):
            left = first + (k - 1) * (_WIDTH + _GAP)
            self._add_neighbour(left, k)
            self._add_states(left + _WIDTH, left + _WIDTH + _GAP, k + 1)

    def _is_read(self, leaf: Leaf) -> bool:
        return any(wire.net is leaf for wire in self.layout.wires)

    def _start_earlier(self, wire: Wire, read: set[Leaf]) -> Wire:
        if wire.net not in read or wire.points[0][0] != 0:
            return wire
        return replace(wire, points=[(int(self.left), wire.points[0][1]), *wire.points[1:]])

    def _add_neighbour(self, left: float, time: int) -> None:
        """A unit of which only the name is shown, its input, and its output."""
        box, middle = self.layout.box, left + _WIDTH / 2
        self.scene.add_outline(Box(left, box.bottom, left + _WIDTH, box.top), self.graph.name)
        bottom = min(wire.points[0][1] for wire in self.layout.wires)
        inputs = [label for label in self.layout.labels if self._is_input(label)]
        for k, label in enumerate(inputs):
            x = middle + (k - (len(inputs) - 1) / 2) * 4
            self.scene.add_line([(x, bottom), (x, box.bottom)])
            self.scene.add_symbol(x + 0.6, bottom + 0.6, shift_time(label.text, time))
        if self.layer:
            self.scene.add_line([(middle, box.top), (middle, box.top + _RISE)])
            self.scene.add_symbol(middle + 0.7, box.top + _RISE - 0.3, shift_time("y_{t}", time))

    def _is_input(self, label: Label) -> bool:
        names = {n.name for n in self.graph.nodes if isinstance(n, Leaf) and n.kind == "input"}
        return label.name in names

    def _add_states(self, start: float, end: float, time: int) -> None:
        """The lines between two units, with the states before step ``time``."""
        notation = self.layout.placement.elements.writer.notation
        for state, leaf in zip(self.graph.states, self.graph.state_leaves, strict=True):
            if not self._is_read(leaf):
                continue
            y = find_end(self.layout, state.name)
            self.scene.add_line([(start, y), (end, y)])
            text = shift_time(notation.leaf(leaf).latex, time)
            above = box_around(0, 0, text).top + 0.5
            self.scene.add_symbol((start + end - 0.8) / 2, y + above, text, "center")
