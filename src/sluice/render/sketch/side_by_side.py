"""Several cells in one picture, to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.equations.graph import Graph
from sluice.render.picture import PictureError, use_rc_settings
from sluice.render.sketch.layout import build_layout
from sluice.render.sketch.output_layer import OutputLayer
from sluice.render.sketch.page import measure_unit
from sluice.render.sketch.scene import Scene
from sluice.render.sketch.words import check_language
from sluice.render.theme import get_theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP, _BELOW = 3.0, 2.0


def draw_side_by_side(
    graphs: Sequence[Graph],
    theme: str = "light",
    *,
    titles: Sequence[str] | None = None,
    output: bool = False,
    reverse: bool = False,
    language: str = "en",
) -> Figure:
    """The units of several cells beside each other: at one scale, on one line, with titles.

    Args:
        graphs: The equations of the cells, from left to right.
        theme: ``"light"`` or ``"dark"``.
        titles: What stands below each; the cells' names if None.
        output: Whether to draw output layers, as in `draw_sketch`.
        reverse: Whether the layers run backwards.
        language: That of words: ``"en"`` or ``"de"``.

    Raises PictureError without cells, or where there are not as many titles; else as
    `draw_sketch`.

    Example:
        >>> from sluice.cells import GRU, LSTM, Elman
        >>> cells = [kind().graph for kind in (Elman, GRU, LSTM)]
        >>> written = [text.get_text() for text in draw_side_by_side(cells).axes[0].texts]
        >>> [name for name in ("Elman", "GRU", "LSTM") if name in written]
        ['Elman', 'GRU', 'LSTM']
    """
    names = [graph.name for graph in graphs] if titles is None else list(titles)
    if not graphs or len(names) != len(graphs):
        raise PictureError(
            f"expected one or more cells, and a title for each, got {len(graphs)} cells and "
            f"{len(names)} titles"
        )
    check_language(language)
    with use_rc_settings():
        scene, left, titled = Scene(get_theme(theme), language), 0.0, list[tuple[float, str]]()
        for graph, title in zip(graphs, names, strict=True):
            layout = build_layout(graph, None, language, reverse)
            layer = OutputLayer.beside(layout) if output else None
            if layer:
                layout = layer.extend_ends(layout)
            area = measure_unit(layout)
            if layer:
                area = area.join(layer.box)
            x, y = left - area.left, -layout.box.bottom
            scene.add_unit(layout, x, y)
            if layer:
                scene.add_output_layer(layer, x, y)
            titled.append((x + layout.box.middle[0], title))
            left += area.right - area.left + _GAP
        assert scene.area is not None
        below = scene.area.bottom - _BELOW
        for x, title in titled:
            scene.add_words(x, below, title, "center", 1.0)
        return scene.draw()
