"""The page on which sketches are drawn: its size, its scale and its pen."""

from __future__ import annotations

from sluice.render.picture import create_figure
from sluice.render.sketch.boxes import Box
from sluice.render.sketch.layout import Layout
from sluice.render.sketch.pen import Pen
from sluice.render.sketch.placement import TRACK
from sluice.render.theme import Theme

MARGIN = 0.6
"""Tracks of free paper on all sides."""


class Page:
    """An empty figure that shows ``area``, in tracks."""

    def __init__(self, area: Box, theme: Theme) -> None:
        self.area, self.theme = area, theme
        width, height = area.right - area.left, area.top - area.bottom
        self.figure = create_figure(width * TRACK, height * TRACK, theme)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(area.left, area.right)
        self.axes.set_ylim(area.bottom, area.top)
        self.axes.set_axis_off()
        self.pen = Pen(self.axes, theme)


def measure_unit(layout: Layout) -> Box:
    """What a unit covers with its labels and the ends of its lines."""
    box, labels = layout.box, [label.box for label in layout.labels]
    ends = [point for wire in layout.wires for point in wire.points]
    outgoing = [wire.points[-1][0] for wire in layout.wires if wire.arrow]
    tips = [x + (1.2 if x > box.left else -1.2) for x in outgoing]
    return Box(
        min([box.left, *(label.left for label in labels), *(x - 0.2 for x, _ in ends), *tips]),
        min([box.bottom, *(label.bottom for label in labels), *(y - 0.2 for _, y in ends)]),
        max([box.right, *(label.right for label in labels), *(x + 0.2 for x, _ in ends), *tips]),
        max([box.top, *(label.top for label in labels)]),
    )
