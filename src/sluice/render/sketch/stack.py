"""Layers above each other, and two directions beside each other, each with its inside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.equations.graph import Graph, Leaf
from sluice.render.picture import PictureError, use_rc_settings
from sluice.render.sketch.boxes import Box
from sluice.render.sketch.captions import shift_time
from sluice.render.sketch.labels import Label, box_around
from sluice.render.sketch.layout import Layout
from sluice.render.sketch.output_layer import (
    BEYOND_RISER,
    OutputLayer,
    extend_ends,
    find_end,
    find_riser,
)
from sluice.render.sketch.placement import ElementPosition
from sluice.render.sketch.routing import Wire
from sluice.render.sketch.scene import Scene
from sluice.render.sketch.unrolled import build_full_layout
from sluice.render.sketch.words import check_language
from sluice.render.theme import get_theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_LAYERS = 6
_TURN, _MERGE, _MIDDLE = 1.2, 2.4, 5
"""From where a layer's input turns up to where the unit's own line begins; from a unit's top to
where two directions are joined; from there to the middle between the two; in tracks."""
_WORDS = {"en": ("layer", "forwards", "backwards"), "de": ("Schicht", "vorwärts", "rückwärts")}


def draw_stack(
    graph: Graph,
    layers: int = 2,
    theme: str = "light",
    *,
    bidirectional: bool = False,
    output: bool = False,
    language: str = "en",
) -> Figure:
    """Layers of a cell above each other: the hidden state of one is the input of the next.

    With ``bidirectional`` each layer has two units, one that reads the sequence forwards and its
    mirror image, backwards; their hidden states side by side are the layer's output.

    Args:
        graph: The equations of the cell.
        layers: How many, from 1 to 6.
        theme: ``"light"`` or ``"dark"``.
        bidirectional: Whether each has two directions.
        output: Whether to draw an output layer above the last.
        language: That of words: ``"en"`` or ``"de"``.

    Raises PictureError for another number of layers, and for a cell that is too intricate to be
    drawn with a part for each operation; else as `draw_sketch`.

    Example:
        >>> from sluice.cells import GRU
        >>> written = [text.get_text() for text in draw_stack(GRU().graph).axes[0].texts]
        >>> "$h_{t}^{(1)}$" in written, "$h_{t}^{(2)}$" in written
        (True, True)
    """
    if not 1 <= layers <= _MOST_LAYERS:
        raise PictureError(f"a stack is drawn of 1 to {_MOST_LAYERS} layers, got {layers}")
    check_language(language)
    with use_rc_settings():
        layout = build_full_layout(graph, language)
        scene = Scene(get_theme(theme), language)
        add = _add_directions if bidirectional else _add_layer
        y = 0.0
        for layer in range(1, layers + 1):
            number = layer if layers > 1 else None
            y = add(scene, layout, y, number, layer < layers, output, language)
        return scene.draw()


def _add_layer(
    scene: Scene,
    layout: Layout,
    y: float,
    layer: int | None,
    has_next: bool,
    output: bool,
    language: str,
) -> float:
    """A layer of one direction, and the line to the next one; the height at which that stands."""
    own, box = _relabel(layout, layer), layout.box
    output_layer = OutputLayer.beside(own) if output and not has_next else None
    riser, h = find_riser(own), find_end(own, layout.placement.graph.states[0].name)
    if has_next or output_layer:
        own = extend_ends(own, riser + BEYOND_RISER)
    scene.add_unit(own, 0, y)
    if layer:
        words = f"{_WORDS[language][0]} {layer}".capitalize()
        scene.add_words(box.right - 0.8, y + box.bottom + 1.0, words, "right", 0.7)
    if output_layer:
        scene.add_output_layer(output_layer, 0, y)
    x, bottom = _find_input(layout)
    above = y + box.top - bottom + _TURN + 1.0
    if has_next:
        turn = above + bottom - _TURN
        points = [(riser, y + h), (riser, turn), (x, turn), (x, above + bottom)]
        scene.add_line(points, has_head=False, dot=True)
    return above


def _add_directions(
    scene: Scene,
    layout: Layout,
    y: float,
    layer: int | None,
    has_next: bool,
    output: bool,
    language: str,
) -> float:
    """A layer of two directions; the height at which the next one stands."""
    graph, box = layout.placement.graph, layout.box
    forward, backward = (_relabel(layout, layer, direction) for direction in (True, False))
    h, riser = find_end(layout, graph.states[0].name), max(map(find_riser, (forward, backward)))
    middle = riser + _MIDDLE
    forward, backward = (extend_ends(unit, riser + BEYOND_RISER) for unit in (forward, backward))
    backward = mirror_layout(backward, 2 * middle)
    for unit, side, words in (
        (forward, "right", _WORDS[language][1]),
        (backward, "left", _WORDS[language][2]),
    ):
        scene.add_unit(unit, 0, y)
        title = words if layer is None else f"{_WORDS[language][0]} {layer}, {words}"
        at = unit.box.right - 0.8 if side == "right" else unit.box.left + 0.8
        title = title[:1].upper() + title[1:]
        scene.add_words(at, y + box.bottom + 1.0, title, side, 0.7)
    (x, bottom), join = _find_input(layout), y + box.top + _MERGE
    turn = y + bottom - _TURN
    for at, end in ((riser, x), (2 * middle - riser, 2 * middle - x)):
        rise = [(at, y + h), (at, join), (middle, join)]
        scene.add_line(rise, has_head=False, dot=True)
        split = [(middle, turn), (end, turn), (end, y + bottom)]
        scene.add_line(split, has_head=False, dot=True)
    if layer is None or layer == 1:
        scene.add_line([(middle, turn - 2.5), (middle, turn)], has_head=False)
        text = next(label.text for label in layout.labels if label.name == "x")
        scene.add_symbol(middle + 0.6, turn - 1.9, text)
    scene.add_bar(middle, join)
    above = join - bottom + _TURN + 3.2
    if has_next:
        scene.add_line([(middle, join), (middle, above + bottom - _TURN)], has_head=False)
    elif output:
        scene.add_output_layer(OutputLayer(middle, join, join + 1.6, has_dot=False))
    else:
        scene.add_line([(middle, join), (middle, join + 3.2)])
    state = layout.placement.elements.writer.notation.symbols[graph.states[0].name].latex
    both = ",\\ ".join(
        _write_state(f"{state}_{{t}}", layer, direction) for direction in (True, False)
    )
    scene.add_symbol(middle + 0.7, join + 1.7, f"[{both}]", size=0.85)
    return above


def _find_input(layout: Layout) -> tuple[int, int]:
    """Where the input x comes in."""
    graph = layout.placement.graph
    for wire in layout.wires:
        net = wire.net
        if isinstance(net, Leaf) and net.kind == "input" and net.name == "x":
            return wire.points[0]
    raise PictureError(f"{graph.name} does not read x, so that its layers cannot be stacked")


def _relabel(layout: Layout, layer: int | None, is_forward: bool | None = None) -> Layout:
    """A unit whose states say which layer's and which direction's they are.

    Only the first layer's input is called x, and that of two directions is named between them.
    """
    states = {state.name for state in layout.placement.graph.states}
    found = []
    for label in layout.labels:
        text = label.text
        if label.name == "x" and (is_forward is not None or (layer or 1) > 1):
            continue
        if is_forward is False:
            text = shift_time(text, reverse=True)
        if label.name.removesuffix(" before") in states:
            text = _write_state(text, layer, is_forward)
        found.append(replace(label, text=text, box=_refit(label, text)))
    return replace(layout, labels=found)


def _refit(label: Label, text: str) -> Box:
    """The box of a label with another text, at the same place and as high above its line."""
    if text == label.text:
        return label.box
    box = box_around(*label.box.middle, text, small=label.small)
    return box.shift(0, label.box.bottom - box.bottom)


def _write_state(latex: str, layer: int | None, is_forward: bool | None) -> str:
    """A state's symbol with an arrow for its direction, and its layer's number."""
    stem, mark, tail = latex.partition("_")
    if is_forward is not None:
        arrow = r"\overrightarrow" if is_forward else r"\overleftarrow"
        stem = f"{arrow}{{{stem}}}"
    return f"{stem}{mark}{tail}" + (f"^{{({layer})}}" if layer else "")


def mirror_layout(layout: Layout, around: int) -> Layout:
    """A unit's mirror image: what is at x comes to stand at ``around`` − x."""

    def mirror_spot(spot: ElementPosition) -> ElementPosition:
        return replace(spot, x=around - spot.x)

    def mirror_box(box: Box) -> Box:
        return Box(around - box.right, box.bottom, around - box.left, box.top)

    def mirror_wire(wire: Wire) -> Wire:
        return replace(wire, points=[(around - x, y) for x, y in wire.points])

    def mirror_label(label: Label) -> Label:
        side = "right" if label.side == "left" else "left"
        return replace(label, box=mirror_box(label.box), side=side)

    places = layout.placement
    spots = {part: mirror_spot(spot) for part, spot in places.positions.items()}
    return replace(
        layout,
        placement=replace(places, positions=spots),
        wires=[mirror_wire(wire) for wire in layout.wires],
        labels=[mirror_label(label) for label in layout.labels],
        box=mirror_box(layout.box),
        dots={(around - x, y): step for (x, y), step in layout.dots.items()},
    )
