"""A sketch that a page fills with numbers: one SVG whose wires, gates and numbers have names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from sluice.equations.graph import Elementwise, Graph, Leaf, Node, is_number
from sluice.render.picture import encode_figure, use_rc_settings
from sluice.render.sketch.elements import Net
from sluice.render.sketch.heads import CIRCLE
from sluice.render.sketch.labels import SMALL, Label
from sluice.render.sketch.layout import Layout, build_layout
from sluice.render.sketch.page import MARGIN, Page, measure_unit
from sluice.render.sketch.pen import Place
from sluice.render.sketch.placement import POINTS, TRACK, ElementPosition
from sluice.render.sketch.routing import Wire
from sluice.render.sketch.unit import LINE_WIDTH, UnitDrawing
from sluice.render.theme import get_theme

if TYPE_CHECKING:
    from matplotlib.patches import Patch

_WIDEST = "-0.00"
"""What room is left for a number."""
_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_UNIT = TRACK * 72
_GATES = ("sigmoid", "exp")
_COLOURS = {
    getattr(get_theme("light"), part): part
    for part in ("page", "ink", "grid", "layer", "pointwise", "body")
}


def draw_interactive_sketch(graph: Graph) -> str:
    """The unit of ``graph`` as an SVG to be put into a page, which sets its values.

    It has no colours, styles or scripts of its own. Elements have classes ``fill-ink``,
    ``stroke-ink`` and so on, for each colour of `sluice.render.theme.Theme`; and where a value of
    the graph is shown, ``data-net``, the value's number in ``graph.nodes``:

    - ``<g class="wire">``: a wire, of which ``.flow`` is the inner stroke, to be coloured;
    - ``<text class="number">``: a number, empty;
    - ``<g class="level">``: what fills a gate's box when it is open, to be scaled from below;
    - ``<g class="valve">``: a product, ``data-gate`` the value that opens it; its middle is at
      ``data-x`` and ``data-y``, ``data-radius`` is its size.

    Raises MissingExtraError without matplotlib.

    Example:
        >>> from sluice.cells import LSTM
        >>> drawn = draw_interactive_sketch(LSTM().graph)
        >>> drawn.count('class="valve"'), "style=" in drawn
        (3, False)
    """
    with use_rc_settings():
        numbers: dict[Net, str] = {node: _WIDEST for _, node in graph.outputs}
        numbers |= dict.fromkeys(graph.state_leaves, _WIDEST)
        made = build_layout(graph, numbers)
        area = measure_unit(made)
        page = Page(area.grow(MARGIN), get_theme("light"))
        drawing = _InteractiveDrawing(made, page, graph)
        drawing.draw_outline()
        drawing.draw_unit()
        plain = encode_figure(page.figure, "svg").decode()
    return _clean(plain, drawing.overlays)


class _InteractiveDrawing(UnitDrawing):
    """Marks what shows a value by ``gid``, and lists what a page adds itself."""

    def __init__(self, layout: Layout, page: Page, graph: Graph) -> None:
        super().__init__(layout, page.pen)
        self._left, self._top = page.area.left, page.area.top
        self._numbers = {node: number for number, node in enumerate(graph.nodes)}
        self.overlays: list[ElementTree.Element] = []

    def _find_number(self, net: Net | None) -> int | None:
        return self._numbers.get(net) if isinstance(net, Node) else None

    def _to_svg(self, x: float, y: float) -> tuple[str, str]:
        return f"{(x - self._left) * _UNIT:.2f}", f"{(self._top - y) * _UNIT:.2f}"

    def _draw_line(self, wire: Wire, points: list[Place]) -> None:
        is_row = isinstance(wire.net, Leaf) and wire.net.kind != "state"  # of many numbers
        number = None if is_row else self._find_number(wire.net)
        strokes: list[tuple[float, str, str | None]] = [(LINE_WIDTH, self.theme.ink, None)]
        if number is not None:
            strokes = [(4.6, self.theme.ink, None), (3.0, self.theme.page, f"flow-{number}")]
        for above, (width, colour, gid) in enumerate(strokes):
            order = 2 + 0.1 * above
            line = self.pen.draw_line(points, colour, width, 0, order, self.layout.dots)
            line.set_gid(gid)

    def _draw_element(self, position: ElementPosition) -> None:
        super()._draw_element(position)
        output = position.element.output
        if position.element.kind == "circle" and (gate := _find_gate(output)) is not None:
            x, y = self._to_svg(position.x, position.y)
            marks = {
                "data-net": str(self._find_number(output)),
                "data-gate": str(self._numbers[gate]),
                "data-x": x,
                "data-y": y,
                "data-radius": f"{CIRCLE * _UNIT:.2f}",
            }
            self._add_overlay("g", "valve", marks)

    def _name_level(self, position: ElementPosition, level: Patch) -> None:
        level.set_gid(f"level-{self._find_number(position.element.output)}")

    def _find_openness(self, net: Net) -> float | None:
        return 1.0 if isinstance(net, Elementwise) and net.op in _GATES else None

    def _draw_label(self, label: Label) -> None:
        number = self._find_number(label.net)
        if number is None or label.number:
            super()._draw_label(label)
        else:
            self._add_number(number, *label.box.middle, "middle")

    def _draw_number(self, label: Label, x: float, y: float) -> None:
        number = self._find_number(label.net)
        assert number is not None
        self._add_number(number, x, y, "start")

    def _add_number(self, number: int, x: float, y: float, anchor: str) -> None:
        at_x, at_y = self._to_svg(x, y)
        marks = {"data-net": str(number), "x": at_x, "y": at_y, "text-anchor": anchor}
        marks |= {"font-size": f"{POINTS * SMALL:g}", "dominant-baseline": "central"}
        self._add_overlay("text", "number", marks)

    def _add_overlay(self, tag: str, kind: str, marks: dict[str, str]) -> None:
        self.overlays.append(ElementTree.Element(f"{{{_SVG}}}{tag}", {"class": kind, **marks}))


def _find_gate(net: Net) -> Node | None:
    """Of a product the factor that gates the other one."""
    if not isinstance(net, Elementwise) or net.op != "multiply":
        return None
    return next((factor for factor in net.arguments if _is_gate(factor)), None)


def _is_gate(node: Node) -> bool:
    """Whether a value lies from 0 to 1 as that of a gate does, or 1 less such a value, or the share
    that one gate has of the sum of two."""
    if not isinstance(node, Elementwise):
        return False
    first, *others = node.arguments
    if node.op == "subtract":
        is_one = isinstance(first, Leaf) and is_number(first) and float(first.name) == 1
        return is_one and _is_gate(others[0])
    if node.op == "divide" and isinstance(others[0], Elementwise) and others[0].op == "add":
        return first in others[0].arguments and all(map(_is_gate, others[0].arguments))
    return node.op in _GATES


def _clean(svg: str, overlays: list[ElementTree.Element]) -> str:
    """matplotlib's SVG with classes in place of colours and styles, and what lies above it."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    root = ElementTree.fromstring(svg[svg.index("<svg") :])
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        _name_values(element)
        _replace_style(element)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("stroke-linejoin", "round")
    root.extend(overlays)
    return ElementTree.tostring(root, encoding="unicode")


def _name_values(element: ElementTree.Element) -> None:
    found = re.fullmatch(r"(flow|level)-(\d+)", element.get("id", ""))
    if found:
        del element.attrib["id"]
        element.set("class", "wire" if found[1] == "flow" else found[1])
        element.set("data-net", found[2])
        for child in element if found[1] == "flow" else ():
            child.set("class", "flow")
    elif element.tag.endswith("}g"):
        element.attrib.pop("id", None)


def _replace_style(element: ElementTree.Element) -> None:
    classes = [element.get("class", "")]
    for rule in element.attrib.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in rule.partition(":"))
        if name in ("fill", "stroke") and value in _COLOURS:
            classes.append(f"{name}-{_COLOURS[value]}")
        elif name:
            element.set(name, value)
    if any(classes):
        element.set("class", " ".join(filter(None, classes)))
