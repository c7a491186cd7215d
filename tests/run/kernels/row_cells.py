"""Cells of whole rows, each with the same step in plain torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

import sluice
from sluice import Cell, Gate, Map, Scalar, State, Vector, sigmoid, tanh
from sluice.equations.rows import (
    cosine_similarity,
    cumulative_softmax,
    dot,
    log_sum_exp,
    matvec,
    max_units,
    mean_units,
    outer,
    repeat,
    rms_norm,
    softmax,
    sum_units,
    vecmat,
)

Step = Callable[..., tuple[Tensor, ...]]


class OrderedLSTM(Cell):
    """ON-LSTM (Shen et al. 2019, equations 3 to 9), master gates of a fourth of the units."""

    forget, input, output, candidate = Gate(), Gate(), Gate(), Gate()
    master_forget, master_input = Gate(width="hidden/4"), Gate(width="hidden/4")

    def step(self, x: Any, h: Any, c: Any) -> Any:
        f, i = sigmoid(self.forget(x, h)), sigmoid(self.input(x, h))
        kept = repeat(cumulative_softmax(self.master_forget(x, h)), like=c)
        written = repeat(1.0 - cumulative_softmax(self.master_input(x, h)), 4)
        both = kept * written
        g = tanh(self.candidate(x, h))
        c = (f * both + (kept - both)) * c + (i * both + (written - both)) * g
        return dict(h=sigmoid(self.output(x, h)) * tanh(c), c=c, kept=kept)


def step_ordered_lstm(p: dict[str, Tensor], x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    n = h.shape[-1]
    z = F.linear(x, p["weight_ih"], p["bias_ih"]) + F.linear(h, p["weight_hh"], p["bias_hh"])
    f, i, o, g, mf, mi = z.split([n, n, n, n, n // 4, n // 4], -1)
    kept = mf.softmax(-1).cumsum(-1).repeat_interleave(4, -1)
    written = 1 - mi.softmax(-1).cumsum(-1).repeat_interleave(4, -1)
    both = kept * written
    f, i = f.sigmoid() * both + kept - both, i.sigmoid() * both + written - both
    c = f * c + i * g.tanh()
    return o.sigmoid() * c.tanh(), c


class NormedGRU(Cell):
    """A GRU (reset after the product) on the RMS-normed state, scaled by one learned number."""

    reset, update, candidate = Gate(), Gate(), Gate()
    scale = Scalar(initial=0.7)
    gain = Vector(initial=1.0)

    def step(self, x: Any, h: Any) -> Any:
        n = rms_norm(h) * self.gain
        r, z = sigmoid(self.reset(x, n)), sigmoid(self.update(x, n))
        g = tanh(self.candidate(x) + r * self.candidate(h=n))
        return dict(h=(1.0 - z) * g * self.scale + z * h, update=z)


def step_normed_gru(p: dict[str, Tensor], x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    n = F.rms_norm(h, h.shape[-1:], p["gain"], 1e-5)
    a = F.linear(x, p["weight_ih"], p["bias_ih"]).chunk(3, -1)
    b = F.linear(n, p["weight_hh"], p["bias_hh"]).chunk(3, -1)
    r, z = (a[0] + b[0]).sigmoid(), (a[1] + b[1]).sigmoid()
    g = (a[2] + r * b[2]).tanh()
    return ((1 - z) * g * p["scale"] + z * h,)


class Reductions(Cell):
    """Every reduction, two states of one number a row and a map to one number."""

    score, candidate = Gate(), Gate()
    gate = Map(width=1)
    total, peak = State(width=1, initial=0.25), State(width=1)

    def step(self, x: Any, h: Any, total: Any, peak: Any) -> Any:
        s, g = self.score(x, h), tanh(self.candidate(x, h))
        a, u = softmax(s * (1.0 + total)), sigmoid(self.gate(g))
        near = cosine_similarity(h, g) + 0.1 * log_sum_exp(s) - mean_units(s)
        peak = 0.5 * peak + max_units(h * g)
        total = 0.5 * total + tanh(dot(a, g) + sum_units(s) * 0.1)
        new = u * h + (1.0 - u) * g * near + a * peak
        return dict(h=new, total=total, peak=peak, near=near, a=a, u=u)


def step_reductions(
    p: dict[str, Tensor], x: Tensor, h: Tensor, total: Tensor, peak: Tensor
) -> tuple[Tensor, ...]:
    z = F.linear(x, p["weight_ih"], p["bias_ih"]) + F.linear(h, p["weight_hh"], p["bias_hh"])
    s, g = z.chunk(2, -1)
    g = g.tanh()
    a = (s * (1 + total)).softmax(-1)
    u = F.linear(g, p["weight_gate"], p["bias_gate"]).sigmoid()
    near = F.cosine_similarity(h, g, -1)[:, None] + 0.1 * s.logsumexp(-1, True) - s.mean(-1, True)
    peak = 0.5 * peak + (h * g).amax(-1, True)
    total = 0.5 * total + ((a * g).sum(-1, True) + s.sum(-1, True) * 0.1).tanh()
    return u * h + (1 - u) * g * near + a * peak, total, peak


class MatrixMemory(Cell):
    """mLSTM (Beck et al. 2024, equations 19 to 27): a matrix, a norm and a stabiliser a head."""

    query, key, value, output = (Gate(width="units") for _ in range(4))
    input, forget = Gate(width=2), Gate(width=2)
    memory = State(width="units*units/2")
    norm, peak = State(width="units"), State(width=2)
    back = Map()

    def step(self, x: Any, h: Any, memory: Any, norm: Any, peak: Any) -> Any:
        q, k, v = self.query(x, h), self.key(x, h) * 0.5, self.value(x, h)
        i, f = self.input(x, h), sluice.log_sigmoid(self.forget(x, h))
        top = sluice.maximum(f + peak, i)
        i, f = sluice.exp(i - top), sluice.exp(f + peak - top)
        memory = repeat(f, like=memory) * memory + repeat(i, like=memory) * outer(v, k, heads=2)
        norm = repeat(f, like=norm) * norm + repeat(i, like=norm) * k
        least = sluice.maximum(sluice.absolute(sum_units(norm * q, heads=2)), sluice.exp(-top))
        read = matvec(memory, q, heads=2) / repeat(least, like=q)
        return dict(
            h=self.back(sigmoid(self.output(x, h)) * read), memory=memory, norm=norm, peak=top
        )


def step_matrix_memory(
    p: dict[str, Tensor], x: Tensor, h: Tensor, memory: Tensor, norm: Tensor, peak: Tensor
) -> tuple[Tensor, ...]:
    n, b = norm.shape[-1], len(x)
    z = F.linear(x, p["weight_ih"], p["bias_ih"]) + F.linear(h, p["weight_hh"], p["bias_hh"])
    q, k, v, o, i, f = z.split([n, n, n, n, 2, 2], -1)
    q, k, v = (part.reshape(b, 2, n // 2) for part in (q, k * 0.5, v))
    f = F.logsigmoid(f)
    top = torch.maximum(f + peak, i)
    i, f = (i - top).exp(), (f + peak - top).exp()
    c = memory.reshape(b, 2, n // 2, n // 2)
    c = f[..., None, None] * c + i[..., None, None] * torch.einsum("bhi,bhj->bhij", v, k)
    m = f[..., None] * norm.reshape(b, 2, n // 2) + i[..., None] * k
    least = torch.maximum((m * q).sum(-1).abs(), (-top).exp())
    read = torch.einsum("bhij,bhj->bhi", c, q) / least[..., None]
    h = F.linear(o.sigmoid() * read.flatten(1), p["weight_back"], p["bias_back"])
    return h, c.flatten(1), m.flatten(1), top


class DeltaRule(Cell):
    """DeltaNet (Yang et al. 2024, equation 1): the value of a key is replaced in part."""

    sizes: ClassVar[dict[str, int]] = {"keys": 5, "values": 3}
    query, key, value = Gate(width="keys"), Gate(width="keys"), Gate(width="values")
    rate, back = Map(width=1), Map()
    memory = State(width="values*keys")

    def step(self, x: Any, h: Any, memory: Any) -> Any:
        k, rate = softmax(self.key(x, h)), sigmoid(self.rate(h))
        memory = memory + rate * outer(k, self.value(x, h) - vecmat(k, memory))
        return dict(h=tanh(self.back(vecmat(self.query(x, h), memory))), memory=memory)


def step_delta_rule(
    p: dict[str, Tensor], x: Tensor, h: Tensor, memory: Tensor
) -> tuple[Tensor, ...]:
    z = F.linear(x, p["weight_ih"], p["bias_ih"]) + F.linear(h, p["weight_hh"], p["bias_hh"])
    q, k, v = z.split([5, 5, 3], -1)
    k, rate = k.softmax(-1), F.linear(h, p["weight_rate"], p["bias_rate"]).sigmoid()
    m = memory.unflatten(-1, (5, 3))
    m = m + rate[..., None] * torch.einsum("bi,bj->bij", k, v - torch.einsum("bi,bij->bj", k, m))
    read = torch.einsum("bi,bij->bj", q, m)
    return F.linear(read, p["weight_back"], p["bias_back"]).tanh(), m.flatten(1)


class SlotAttention(Cell):
    """Attention over three slots: scores by dot products, a softmax from slot to slot."""

    query, first, second, third = Gate(), Gate(), Gate(), Gate()

    def step(self, x: Any, h: Any, a: Any, b: Any, c: Any) -> Any:
        q = self.query(x, h)
        scores = [dot(q, slot) for slot in (a, b, c)]
        top = sluice.maximum(sluice.maximum(scores[0], scores[1]), scores[2])
        powers = [sluice.exp(score - top) for score in scores]
        whole = powers[0] + powers[1] + powers[2]
        read = (powers[0] * a + powers[1] * b + powers[2] * c) / whole
        writes = [
            0.9 * slot + 0.1 * (power / whole) * tanh(gate(x, h))
            for slot, power, gate in zip(
                (a, b, c), powers, (self.first, self.second, self.third), strict=True
            )
        ]
        return dict(h=tanh(read + q), a=writes[0], b=writes[1], c=writes[2])


def step_slot_attention(
    p: dict[str, Tensor], x: Tensor, h: Tensor, *slots: Tensor
) -> tuple[Tensor, ...]:
    z = F.linear(x, p["weight_ih"], p["bias_ih"]) + F.linear(h, p["weight_hh"], p["bias_hh"])
    q, *gates = z.chunk(4, -1)
    kept = torch.stack(slots, 1)
    weights = torch.einsum("bsn,bn->bs", kept, q).softmax(-1)
    read = torch.einsum("bs,bsn->bn", weights, kept)
    new = 0.9 * kept + 0.1 * weights[..., None] * torch.stack(gates, 1).tanh()
    return ((read + q).tanh(), *new.unbind(1))


CASES: dict[str, tuple[type[Cell], Step, dict[str, int]]] = {
    "ordered": (OrderedLSTM, step_ordered_lstm, {}),
    "normed": (NormedGRU, step_normed_gru, {}),
    "reductions": (Reductions, step_reductions, {}),
    "matrix": (MatrixMemory, step_matrix_memory, {"units": 6}),
    "delta": (DeltaRule, step_delta_rule, {"keys": 5, "values": 3}),
    "slots": (SlotAttention, step_slot_attention, {}),
}
