"""What stands below a sketch: the meaning of its shapes, of its colours, and what it leaves out."""

from __future__ import annotations

from sluice.render.sketch.layout import Layout
from sluice.render.sketch.pen import Pen
from sluice.render.sketch.placement import POINTS
from sluice.render.sketch.wire_values import WireValues

_SCALE = 10.0
_SIMPLIFIED = "simplified: a box for each equation; it reads the lines that have a dot on its own"
_COLOUR_BAR_CAPTION = "value on a wire; a gate is filled as far as it is open"


def measure_legend(layout: Layout, has_values: bool) -> float:
    """About how wide it is, in tracks."""
    widths = [sum(_measure_entry(label) for _, label in _list_entries(layout)) - 1.5]
    if layout.is_simplified:
        widths.append(0.38 * len(_SIMPLIFIED))
    if has_values:
        widths.append(_SCALE + 1.0 + 0.42 * len(_COLOUR_BAR_CAPTION))
    return max(widths)


def _measure_entry(label: str) -> float:
    return 3.0 + 0.5 * len(label)


def _list_entries(layout: Layout) -> list[tuple[str, str]]:
    """The shapes that are drawn, and what they mean."""
    kinds = {spot.element.kind for spot in layout.placement.positions.values()}
    items = [("layer", "learned layer")] if kinds & {"layer", "norm"} else []
    items += [("circle", "pointwise")] if kinds & {"circle", "pointwise"} else []
    items += [("block", "without learned maps")] if "block" in kinds else []
    items += [("row", "over all units")] if "row" in kinds else []
    dots = "reads the line" if layout.is_simplified else "copy"
    items += [("dot", dots)] if layout.dots else []
    items += [("join", "side by side")] if "join" in kinds else []
    return items


def draw_legend(pen: Pen, layout: Layout) -> None:
    """What the shapes mean, in a row below."""
    y, x = layout.box.bottom - 4.4, layout.box.left
    for kind, label in _list_entries(layout):
        if kind == "dot":
            pen.draw_dot((x, y), pen.theme.ink)
        elif kind == "join":
            pen.draw_shape("bar", x, y, 0.15, 0.55, pen.theme.ink, pen.theme.ink)
        else:
            fill = pen.theme.layer if kind == "layer" else pen.theme.pointwise
            pen.draw_shape(kind, x, y, 0.6, 0.6, fill, pen.theme.ink)
        pen.draw_text(x + 1.1, y, label, pen.theme.ink, POINTS * 0.65, "left")
        x += _measure_entry(label)
    if layout.is_simplified:
        x, size = layout.box.left - 0.6, POINTS * 0.65
        pen.draw_text(x, y - 1.8, _SIMPLIFIED, pen.theme.ink, size, "left")


def draw_colour_bar(pen: Pen, layout: Layout, wire_values: WireValues) -> None:
    """Which colour is which value, in a row of its own."""
    from matplotlib.patches import Rectangle

    left, width, parts = layout.box.left, _SCALE, 40
    y = layout.box.bottom - (8.7 if layout.is_simplified else 6.9)
    for k in range(parts):
        shade = wire_values.map_colour(wire_values.limit * (2 * (k + 0.5) / parts - 1))
        corner = (left + width * k / parts, y - 0.4)
        pen.axes.add_patch(Rectangle(corner, width / parts * 1.05, 0.8, facecolor=shade))
    frame = Rectangle((left, y - 0.4), width, 0.8, fill=False, edgecolor=pen.theme.ink)
    pen.axes.add_patch(frame)
    for at, value in ((0.0, -wire_values.limit), (0.5, 0.0), (1.0, wire_values.limit)):
        text = f"${value:.3g}$"
        pen.draw_text(left + at * width, y - 1.1, text, pen.theme.ink, POINTS * 0.55)
    pen.draw_text(left + width + 0.8, y, _COLOUR_BAR_CAPTION, pen.theme.ink, POINTS * 0.65, "left")
