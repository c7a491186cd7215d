"""A sketch that builds itself up: one SVG, moved by its own style sheet."""

from __future__ import annotations

import re

from sluice.equations.graph import Graph
from sluice.render.picture import encode_figure, use_rc_settings
from sluice.render.sketch.captions import build_captions
from sluice.render.sketch.drawing import Drawing
from sluice.render.sketch.layout import build_layout
from sluice.render.sketch.shades import Shades
from sluice.render.sketch.words import check_language
from sluice.render.theme import get_theme

_SECONDS, _FADE, _END = 3.0, 0.5, 3.0
"""How long each step is shown, how long it takes to appear, and how long the whole is shown."""
_QUIET = 0.45
"""The opacity of the steps before the present one."""


def animate_sketch(
    graph: Graph, theme: str = "light", *, reverse: bool = False, language: str = "en"
) -> bytes:
    """The unit revealed step by step in one SVG, each step with its equations below.

    The new step stands out from those before it.

    It needs nothing but itself: CSS animations, which also run where a page shows it as an image.
    It starts again after the last step. If animations are off, or the reader prefers reduced
    motion, it shows the whole unit with all its equations.

    Raises as `sluice.render.sketch.draw_sketch`.

    Example:
        >>> from sluice.cells import GRU
        >>> b"prefers-reduced-motion" in animate_sketch(GRU().graph)
        True
    """
    check_language(language)
    with use_rc_settings():
        made, colours = build_layout(graph, None, language, reverse), get_theme(theme)
        captions = build_captions(made.placement, reverse)
        count = sum(map(len, captions))
        drawing = Drawing(made, Shades(colours, 0), lines=count, language=language)
        drawing.draw_unit()
        drawing.pen.zorder_offset, drawing.pen.id_prefix = 10, "step"
        drawing.unit.shades = Shades(colours)
        drawing.draw_unit()
        first = 0
        for step, lines in enumerate(captions):
            drawing.draw_captions(lines, first, step)
            first += len(lines)
        plain = encode_figure(drawing.figure, "svg").decode()
    marked = re.sub(r'<g id="step-(\d+)-\d+"', r'<g class="step-\1"', plain)
    head = (
        f"<title>{graph.name}, step by step</title>\n<style>{_build_style(len(captions))}</style>\n"
    )
    return re.sub(r"(<svg [^>]*>)", lambda found: f"{found[1]}\n{head}", marked, count=1).encode()


def _build_style(steps: int) -> str:
    """The rules that make each step appear in its turn, and stand back in that of the next."""
    total = steps * _SECONDS + _END
    rules = []
    for step in range(steps):
        start, shown = step * _SECONDS, step * _SECONDS + _FADE * bool(step)
        turns = [] if not step else [(0.0, 0.0), (start, 0.0)]
        turns.append((shown, 1.0))
        if step + 1 < steps:
            turns += [(start + _SECONDS, 1.0), (start + _SECONDS + _FADE, _QUIET)]
            turns += [(steps * _SECONDS, _QUIET), (steps * _SECONDS + _FADE, 1.0)]
        turns.append((total, 1.0))
        frames = " ".join(f"{100 * t / total:.2f}% {{ opacity: {o:g} }}" for t, o in turns)
        rules.append(
            f"@keyframes step-{step} {{ {frames} }}\n"
            f".step-{step} {{ animation: step-{step} {total:g}s linear infinite }}"
        )
    inner = "\n".join(rules)
    fit = "svg:root { max-width: 100%; height: auto }"
    return f"\n{fit}\n@media (prefers-reduced-motion: no-preference) {{\n{inner}\n}}\n"
