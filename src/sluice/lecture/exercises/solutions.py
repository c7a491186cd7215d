"""A solution of every exercise, for teachers: `sluice.lecture.exercises.solution` shows them."""

from __future__ import annotations

import torch
from torch import Tensor


def elman_step(x: Tensor, h: Tensor, W: Tensor, R: Tensor, b: Tensor) -> Tensor:
    return torch.tanh(W @ x + R @ h + b)


def forget_gate(x: Tensor, h: Tensor, W: Tensor, b: Tensor) -> Tensor:
    return torch.sigmoid(W @ torch.cat([h, x]) + b)


def lstm_step(x: Tensor, h: Tensor, c: Tensor, W: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    f, i, candidate, o = (W @ torch.cat([h, x]) + b).chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(candidate)
    return torch.sigmoid(o) * torch.tanh(c), c


def output(h: Tensor, c: Tensor, V: Tensor, b: Tensor) -> Tensor:
    return torch.softmax(V @ h + b, dim=0)


def gates_for(operation: str) -> tuple[float, float, float]:
    return {
        "keep": (1.0, 0.0, 0.0),
        "load": (1.0, 0.0, 1.0),
        "store": (0.0, 1.0, 0.0),
        "delete": (0.0, 0.0, 0.0),
    }[operation]


def gradient_norm(s: float, steps: int) -> float:
    return s**steps


def bptt_step(dh: Tensor, h: Tensor, h_before: Tensor, R: Tensor) -> tuple[Tensor, Tensor]:
    delta = dh * (1 - h**2)
    return torch.outer(delta, h_before), R.T @ delta


def truncated_gradient(x: Tensor, W: Tensor, R: Tensor, k: int) -> Tensor:
    R = R.clone().requires_grad_()
    h = torch.zeros_like(R[0])
    for t in range(len(x)):
        if t == len(x) - k:
            h = h.detach()
        h = torch.tanh(W @ x[t] + R @ h)
    (gradient,) = torch.autograd.grad(h.sum(), R)
    return gradient


def count_parameters(cell: str, n: int, m: int) -> int:
    boxes = {"elman": 1, "gru": 3, "lstm": 4}[cell]
    return boxes * m * (n + m + 1)


def labels() -> dict[str, str]:
    return {
        "box 1": "forget gate",
        "box 2": "input gate",
        "box 3": "candidate",
        "box 4": "output gate",
        "top": "cell state",
        "bottom": "hidden state",
    }
