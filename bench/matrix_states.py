"""Matrix states: the kernels' time loop beside loops of torch operations and a parallel form.

python bench/matrix_states.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from paired import Report, measure_paired
from torch import Tensor
from torch.nn import functional as F

import sluice
from sluice import Cell, Gate, State, matvec, outer, repeat, sigmoid, softmax

HEADS = 4
SHAPES = [(128, 1, 64), (128, 16, 64), (128, 16, 128), (512, 1, 64)]


class DecayingMemory(Cell):
    """Fast weights with a decay of each head (Ba et al. 2016; mLSTM without its stabiliser)."""

    query, key, value = Gate(), Gate(), Gate()
    keep = Gate(width=HEADS)
    memory = State(width=f"hidden*hidden/{HEADS}")

    def step(self, x: Any, h: Any, memory: Any) -> dict[str, Any]:
        k = softmax(self.key(x), heads=HEADS)
        kept = repeat(sigmoid(self.keep(x)), like=memory)
        memory = kept * memory + outer(self.value(x), k, heads=HEADS)
        return {"h": matvec(memory, self.query(x), heads=HEADS), "memory": memory}


class DeltaMemory(Cell):
    """The delta rule (Yang et al. 2024): the value that a key had is replaced in part."""

    query, key, value = Gate(), Gate(), Gate()
    rate = Gate(width=HEADS)
    memory = State(width=f"hidden*hidden/{HEADS}")

    def step(self, x: Any, h: Any, memory: Any) -> dict[str, Any]:
        k = softmax(self.key(x), heads=HEADS)
        new = self.value(x) - matvec(memory, k, heads=HEADS)
        rate = repeat(sigmoid(self.rate(x)), like=new)
        memory = memory + outer(rate * new, k, heads=HEADS)
        return {"h": matvec(memory, self.query(x), heads=HEADS), "memory": memory}


def run_layer(layer: sluice.nn.Recurrent, x: Tensor) -> Tensor:
    y: Tensor = layer(x)[0]
    return y


def project(layer: sluice.nn.Recurrent, x: Tensor) -> list[Tensor]:
    """Queries, keys, values (time, batch, heads, units) and the gate (time, batch, heads)."""
    n = layer.hidden_size
    mapped = F.linear(x, layer.weight_ih_l0, layer.bias_ih_l0)
    q, k, v, gate = mapped.split([n, n, n, HEADS], -1)
    q, k, v = (part.unflatten(-1, (HEADS, -1)) for part in (q, k, v))
    return [q, k.softmax(-1), v, gate.sigmoid()]


def loop_decay(layer: sluice.nn.Recurrent, x: Tensor) -> Tensor:
    q, k, v, f = project(layer, x)
    memory, outputs = x.new_zeros(*v.shape[1:], k.shape[-1]), []
    for t in range(len(x)):
        memory = f[t, ..., None, None] * memory + torch.einsum("bhi,bhj->bhij", v[t], k[t])
        outputs.append(torch.einsum("bhij,bhj->bhi", memory, q[t]))
    return torch.stack(outputs).flatten(2)


def batched_decay(layer: sluice.nn.Recurrent, x: Tensor) -> Tensor:
    """The same with one baddbmm and one bmm a step."""
    q, k, v, f = (part.flatten(1, 2).unsqueeze(-1) for part in project(layer, x))
    memory, outputs = x.new_zeros(v.shape[1], v.shape[2], k.shape[2]), []
    for t in range(len(x)):
        memory = torch.baddbmm(f[t].unsqueeze(-1) * memory, v[t], k[t].mT)
        outputs.append(torch.bmm(memory, q[t]))
    return torch.stack(outputs).reshape(len(x), x.shape[1], -1)


def parallel_decay(layer: sluice.nn.Recurrent, x: Tensor) -> Tensor:
    """All steps at once, as attention with a decay: T² scores a head in place of T matrices."""
    q, k, v, f = project(layer, x)
    total = f.log().cumsum(0)
    decay = total[:, None] - total[None]
    later = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)[..., None, None]
    weights = torch.einsum("tbhj,sbhj->tsbh", q, k) * decay.masked_fill(later, -torch.inf).exp()
    return torch.einsum("tsbh,sbhi->tbhi", weights, v).flatten(2)


def loop_delta(layer: sluice.nn.Recurrent, x: Tensor) -> Tensor:
    q, k, v, rate = project(layer, x)
    memory, outputs = x.new_zeros(*v.shape[1:], k.shape[-1]), []
    for t in range(len(x)):
        new = v[t] - torch.einsum("bhij,bhj->bhi", memory, k[t])
        memory = memory + torch.einsum("bhi,bhj->bhij", rate[t, ..., None] * new, k[t])
        outputs.append(torch.einsum("bhij,bhj->bhi", memory, q[t]))
    return torch.stack(outputs).flatten(2)


def batched_delta(layer: sluice.nn.Recurrent, x: Tensor) -> Tensor:
    q, k, v, rate = (part.flatten(1, 2).unsqueeze(-1) for part in project(layer, x))
    memory, outputs = x.new_zeros(v.shape[1], v.shape[2], k.shape[2]), []
    for t in range(len(x)):
        new = torch.baddbmm(v[t], memory, k[t], alpha=-1)
        memory = torch.baddbmm(memory, rate[t].unsqueeze(-1) * new, k[t].mT)
        outputs.append(torch.bmm(memory, q[t]))
    return torch.stack(outputs).reshape(len(x), x.shape[1], -1)


Loop = Callable[[sluice.nn.Recurrent, Tensor], Tensor]
CELLS: list[tuple[str, type[Cell], dict[str, Loop]]] = [
    (
        "decay",
        DecayingMemory,
        {"einsum": loop_decay, "baddbmm": batched_decay, "parallel": parallel_decay},
    ),
    ("delta rule", DeltaMemory, {"einsum": loop_delta, "baddbmm": batched_delta}),
]


def main() -> None:
    """Measure both cells, training and inference."""
    report = Report(
        "matrix_states",
        "Matrix states",
        ["cell", "T×B×H", "pass", "kernels ms", "einsum", "baddbmm", "parallel"],
        [
            f"{HEADS} heads, whose states are matrices of H/{HEADS} × H/{HEADS}; float32. Training "
            "is a forward and a backward pass. After the kernels' milliseconds come the times of "
            "others as multiples of it, in one run: loops over time of torch's einsum, or of "
            "baddbmm and bmm, and torch's operations on all steps at once, which only the first "
            "cell has."
        ],
    )
    for name, kind, loops in CELLS:
        for steps, batch, hidden in SHAPES:
            layer = sluice.nn.Recurrent(kind, hidden, hidden)
            x = torch.randn(steps, batch, hidden)
            all_loops = {"kernels": run_layer, **loops}
            runs = {key: partial(loop, layer, x) for key, loop in all_loops.items()}
            for run in runs.values():
                torch.testing.assert_close(run(), runs["kernels"](), rtol=1e-3, atol=1e-3)
            for is_training in (True, False):
                add_row(report, name, (steps, batch, hidden), runs, layer, is_training)
    report.keep()


def add_row(
    report: Report,
    name: str,
    shape: tuple[int, ...],
    runs: Mapping[str, Callable[[], Tensor]],
    layer: sluice.nn.Recurrent,
    is_training: bool,
) -> None:
    def wrap(run: Callable[[], Tensor]) -> Callable[[], object]:
        if is_training:
            return lambda: torch.autograd.grad(run().sum(), list(layer.parameters()))
        return torch.no_grad()(run)

    times = measure_paired({key: wrap(run) for key, run in runs.items()}, 3, 0.05)
    ratios = [
        f"{times[key] / times['kernels']:.2f}" if key in times else "–"
        for key in ("einsum", "baddbmm", "parallel")
    ]
    label = "×".join(map(str, shape))
    kind = "training" if is_training else "inference"
    report.add(name, label, kind, f"{times['kernels'] * 1e3:.2f}", *ratios)


if __name__ == "__main__":
    main()
