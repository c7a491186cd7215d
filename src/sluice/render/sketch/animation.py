"""A sketch that builds itself up: one SVG, moved by its own style sheet."""

from __future__ import annotations

import re

from sluice.equations.graph import Graph
from sluice.render.picture import encode_figure, use_rc_settings
from sluice.render.sketch.captions import build_captions
from sluice.render.sketch.drawing import Drawing
from sluice.render.sketch.layout import build_layout
from sluice.render.theme import get_theme

_SECONDS, _FADE, _END = 3.0, 0.5, 3.0
"""How long each step is shown, how long it takes to appear, and how long the whole is shown."""


def animate_sketch(graph: Graph, theme: str = "light") -> bytes:
    """The unit revealed step by step in one SVG, each step with its equations below.

    It needs nothing but itself: CSS animations, which also run where a page shows it as an image.
    It starts again after the last step. If animations are off, or the reader prefers reduced
    motion, it shows the whole unit with all its equations.

    Raises as `sluice.render.sketch.draw_sketch`.

    Example:
        >>> from sluice.cells import GRU
        >>> b"prefers-reduced-motion" in animate_sketch(GRU().graph)
        True
    """
    with use_rc_settings():
        made = build_layout(graph)
        captions = build_captions(made.placement)
        drawing = Drawing(made, get_theme(theme), lines=sum(map(len, captions)))
        drawing.draw_unit(0)
        drawing.pen.zorder_offset, drawing.pen.id_prefix = 10, "step"
        drawing.draw_unit(None)
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
    """The rules that make each step appear in its turn."""
    total = steps * _SECONDS + _END
    rules = []
    for step in range(1, steps):
        start, stop = (100 * t / total for t in (step * _SECONDS, step * _SECONDS + _FADE))
        rules.append(
            f"@keyframes step-{step} {{ 0%, {start:.2f}% {{ opacity: 0 }} "
            f"{stop:.2f}%, 100% {{ opacity: 1 }} }}\n"
            f".step-{step} {{ animation: step-{step} {total:g}s linear infinite }}"
        )
    inner = "\n".join(rules)
    fit = "svg:root { max-width: 100%; height: auto }"
    return f"\n{fit}\n@media (prefers-reduced-motion: no-preference) {{\n{inner}\n}}\n"
