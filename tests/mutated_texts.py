"""Texts of graphs, changed at random: each is refused, or runs the same on kernels and reference.

`python tests/mutated_texts.py 400 1`: so many texts, and the seed of the first.
"""

from __future__ import annotations

import random
import sys
import time

import torch

from cell_list import CELLS
from random_graphs import draw_graph
from sluice.cells.from_text import TracedCell
from sluice.equations import EquationError, from_text, to_text
from sluice.nn import Recurrent

_PIECES = (
    *("0", "1", "-1", "2", "99999999999", "1e308", "nan", "0.5", "None", "hidden", "input", "1"),
    *("projection", "hidden/2", "hidden/0", "hidden*hidden*hidden", "x", "h", "ih", "hh", "apply"),
    *("affine", "rownorm", "rowmap", "state", "constant", "mask", "vector", "where", "greater"),
    *("", " ", "\n", "\x00", "é", "__class__", "{0}", "%s", "output", ":", "#"),
)
_SECONDS = 20


def change(text: str, draw: random.Random) -> str:
    """One change of a character, a word or a line."""
    kind = draw.randrange(6)
    lines = text.split("\n")
    k = draw.randrange(len(lines))
    if kind == 0:
        place = draw.randrange(len(text))
        return text[:place] + chr(draw.randrange(1, 128)) + text[place + draw.randrange(2) :]
    if kind == 1:
        lines.insert(draw.randrange(len(lines)), lines[k])
    elif kind == 2:
        del lines[k]
    elif kind == 3:
        other = draw.randrange(len(lines))
        lines[k], lines[other] = lines[other], lines[k]
    else:
        words = lines[k].split(" ")
        spare = draw.choice(_PIECES) if kind == 4 else draw.choice(text.split())
        words[draw.randrange(len(words))] = spare
        lines[k] = " ".join(words)
    return "\n".join(lines)


def run(text: str, seed: int) -> bool:
    """Whether a layer of the text's cell runs; both backends must then agree."""
    if from_text(text) != from_text(to_text(from_text(text))):
        raise AssertionError("another graph")
    cell, torch_seed = TracedCell(text), seed
    with_projection = "projection" in text
    try:
        layer = Recurrent(cell, 6, 4, dtype=torch.float64, proj_size=2 * with_projection)
    except ValueError:
        return False  # as heads that divide no width
    x = torch.randn(3, 2, 6, dtype=torch.float64)
    beside = {
        u.name: torch.ones(3, 2, layer.sizes[0].of(u.width)).double() for u in cell.graph.inputs
    }
    results = []
    for backend in (None, "reference"):
        layer.backend = backend
        torch.manual_seed(torch_seed)
        y, _ = layer(x, **beside)
        parameters = [p for p in layer.parameters() if p.requires_grad]
        total = y.sum() + sum((p.sum() * 0 for p in parameters), y.new_zeros(()))
        gradients = torch.autograd.grad(total, parameters) if parameters else ()
        results.append([y.detach(), *gradients])
    for one, other in zip(*results, strict=True):
        if other.isfinite().all():
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)
    return True


def main(count: int, first: int) -> None:
    """Change so many texts; print how many ran. Anything but `EquationError` ends the program."""
    ran = refused = 0
    sources = [CELLS[name]().text for name in ("lstm", "gru-reset-before", "slstm", "projected")]
    for seed in range(first, first + count):
        draw, start = random.Random(seed), time.monotonic()
        text = draw.choice(sources) if draw.random() < 0.5 else to_text(draw_graph(draw, "Random"))
        for _ in range(draw.choice([1, 1, 2, 4])):
            text = change(text, draw)
        try:
            ran += run(text, seed)
        except EquationError as error:
            assert "\n" not in str(error), error
            refused += 1
        except Exception:
            sys.stderr.write(f"seed {seed}:\n{text}\n")
            raise
        assert time.monotonic() - start < _SECONDS, text
    sys.stdout.write(f"{count} texts: {ran} ran, {refused} refused\n")


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] + ["400", "1"][len(sys.argv) - 1 :])))
