"""A cell without a product of its state, by the kernels' loop and by parallel scans over time.

    python bench/scan.py

The cell is `sluice.cells.MinGRU`, h ← (1 − z) h + z g with z and g of the input alone. A scan cuts
time into pieces that run side by side, as further sequences of the batch, from a state of zero and
with the product of (1 − z) beside it; then each piece is corrected by what enters it. Both run on
the same kernels (*pieces*), or the whole is torch's cumulative sum of logarithms
(*log space*, Heinsen 2023; it needs g > 0, so g is an exponential there). All are checked
against each other before they are timed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from paired import Report, measure_paired
from torch import Tensor
from torch.nn import functional as F

import sluice
from sluice.cells import Cell, Gate, MinGRU, State

CASES = [(4096, 1, 64), (4096, 1, 256), (4096, 8, 64), (16384, 1, 64)]
PIECES, BLOCK = (2, 32), 0.05


class Left(Cell):
    """How much of its first state a minimal GRU has left."""

    update = Gate()
    left = State(initial=1.0)

    def step(self, x, left):  # type: ignore[no-untyped-def]
        return {"left": (1.0 - sluice.sigmoid(self.update(x))) * left}


def scan_pieces(
    layer: sluice.nn.Recurrent, remains: sluice.nn.Recurrent, x: Tensor, count: int
) -> Tensor:
    """``(time, batch, hidden)`` of x ``(time, batch, input)``, in ``count`` pieces."""
    steps, batch, size = x.shape
    pieces = x.view(count, steps // count, batch, size).transpose(0, 1).flatten(1, 2)
    weights = {"weight_ih_l0": layer.weight_ih_l0[:size], "bias_ih_l0": layer.bias_ih_l0[:size]}
    local = layer(pieces)[0].unflatten(1, (count, batch))
    left = torch.func.functional_call(remains, weights, (pieces,))[0].unflatten(1, (count, batch))
    entering = [torch.zeros_like(local[0, 0])]
    for k in range(count - 1):
        entering.append(local[-1, k] + left[-1, k] * entering[-1])
    return torch.addcmul(local, left, torch.stack(entering)).transpose(0, 1).flatten(0, 1)


def scan_log_space(layer: sluice.nn.Recurrent, x: Tensor) -> Tensor:
    """The same of a candidate e^g instead of g, which a sum of logarithms can hold."""
    z, g = F.linear(x, layer.weight_ih_l0, layer.bias_ih_l0).chunk(2, -1)
    kept = F.logsigmoid(-z).cumsum(0)
    return torch.exp(kept + torch.logcumsumexp(F.logsigmoid(z) + g - kept, 0))


def measure(steps: int, batch: int, size: int, training: bool) -> dict[str, float]:
    """Seconds of each way, checked against the kernels' first."""
    layer = sluice.nn.Recurrent(MinGRU, size, size)
    left = sluice.nn.Recurrent(Left, size, size)
    x, parameters = torch.randn(steps, batch, size), list(layer.parameters())
    ways: dict[str, Callable[[], Tensor]] = {"kernels": lambda: layer(x)[0]}
    for n in PIECES:
        ways[f"{n} pieces"] = functools.partial(scan_pieces, layer, left, x, n)
        torch.testing.assert_close(ways[f"{n} pieces"](), layer(x)[0], rtol=1e-4, atol=1e-4)
    ways["log space"] = lambda: scan_log_space(layer, x)
    if not training:
        with torch.no_grad():
            return measure_paired(ways, 3, BLOCK)

    def train(way: Callable[[], Tensor]) -> object:
        return torch.autograd.grad(way().sum(), parameters)

    return measure_paired({k: functools.partial(train, w) for k, w in ways.items()}, 3, BLOCK)


def main() -> None:
    report = Report(
        "scan",
        "Parallel scans over time: ms, MinGRU, float32, I = H",
        ["T×B×H", "", "kernels", *(f"{n} pieces" for n in PIECES), "log space", "best ÷ kernels"],
        [
            "`bench/scan.py` says what is compared. The last column is the quickest scan's time as "
            f"a part of the kernels'; both have {sluice.get_num_threads()} threads."
        ],
    )
    for case in CASES:
        for training in (False, True):
            found = measure(*case, training)
            best = min(time for way, time in found.items() if way != "kernels")
            report.add(
                "×".join(map(str, case)),
                "training" if training else "forward",
                *(f"{time * 1e3:.2f}" for time in found.values()),
                f"{best / found['kernels']:.2f}",
            )
    report.keep(merge=2)


if __name__ == "__main__":
    main()
