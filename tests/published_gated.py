"""Gated cells of the literature, as their papers have them, for equations and sketches."""

from __future__ import annotations

from typing import Any

from sluice import Cell, Gate, Map, State, Vector, exp, maximum, relu, sigmoid, tanh, where

Step = dict[str, Any]


class MCLSTM(Cell):
    """After Hoedt et al. 2021: mass is kept; the output is read by nothing."""

    write, leave = Gate(), Gate()
    move = Map()

    def step(self, x: Any, h: Any, m: Any) -> Step:
        i, o = sigmoid(self.write(x, m)), sigmoid(self.leave(x, m))
        total = self.move(m) + i
        return dict(h=o * total, m=(1 - o) * total, i=i, o=o)


class FastGRNN(Cell):
    """Kusupati et al. 2018: gate and candidate share their maps."""

    gate = Gate()
    b_gate_i, b_gate_h, zeta, nu = Vector(), Vector(), Vector(), Vector()

    def step(self, x: Any, h: Any) -> Step:
        u = self.gate(x, h)
        z, g = sigmoid(u + self.b_gate_i), tanh(u + self.b_gate_h)
        scale = sigmoid(self.zeta) * (1 - z) + sigmoid(self.nu)
        return dict(h=scale * g + z * h, update=z, candidate=g)


class IntersectionRNN(Cell):
    """Collins et al. 2017: two gated paths, one through depth."""

    g_depth, g_time, y_in, h_in = Gate(), Gate(), Gate(), Gate()
    lift = Map()

    def step(self, x: Any, h: Any, y: Any) -> Step:
        yin, hin = relu(self.y_in(x, h)), tanh(self.h_in(x, h))
        gy, gh = sigmoid(self.g_depth(x, h)), sigmoid(self.g_time(x, h))
        return dict(h=gh * h + (1 - gh) * hin, y=gy * self.lift(x) + (1 - gy) * yin, gy=gy, gh=gh)


class MinLSTM(Cell):
    """Feng et al. 2024, with its positive candidate."""

    f, i, g = Gate(), Gate(), Gate()

    def step(self, x: Any, h: Any) -> Step:
        f, i, g = sigmoid(self.f(x)), sigmoid(self.i(x)), self.g(x)
        positive = where(g > 0, g + 0.5, sigmoid(g))
        return dict(h=f / (f + i) * h + i / (f + i) * positive, f=f, i=i)


class PlainMinLSTM(Cell):
    """The same without the positive candidate."""

    f, i, g = Gate(), Gate(), Gate()

    def step(self, x: Any, h: Any) -> Step:
        f, i = sigmoid(self.f(x)), sigmoid(self.i(x))
        return dict(h=f / (f + i) * h + i / (f + i) * self.g(x), f=f, i=i)


class SCRN(Cell):
    """Mikolov et al. 2015: structurally constrained, with a slow context."""

    context, hidden, mix = Map(bias=False), Gate(bias=False), Map(bias=False)

    def step(self, x: Any, h: Any, s: Any) -> Step:
        s = 0.05 * self.context(x) + 0.95 * s
        return dict(h=sigmoid(self.hidden(x, h) + self.mix(s)), s=s)


class LSTMNoOutput(Cell):
    """An LSTM without an output gate (Greff et al. 2017, NOG)."""

    input, forget, candidate = Gate(), Gate(), Gate()

    def step(self, x: Any, h: Any, c: Any) -> Step:
        i, f = sigmoid(self.input(x, h)), sigmoid(self.forget(x, h))
        g = tanh(self.candidate(x, h))
        c = f * c + i * g
        return dict(h=tanh(c), c=c, input=i, forget=f, candidate=g)


class FullPeephole(Cell):
    """An LSTM whose gates read the cell state through matrices (Graves 2005)."""

    input, forget, output, candidate = Gate(), Gate(), Gate(), Gate()
    ci, cf, co = Map(bias=False), Map(bias=False), Map(bias=False)

    def step(self, x: Any, h: Any, c: Any) -> Step:
        i = sigmoid(self.input(x, h) + self.ci(c))
        f = sigmoid(self.forget(x, h) + self.cf(c))
        g = tanh(self.candidate(x, h))
        c = f * c + i * g
        o = sigmoid(self.output(x, h) + self.co(c))
        return dict(h=o * tanh(c), c=c, input=i, forget=f, output=o, candidate=g)


class ResidualLSTM(Cell):
    """After Kim et al. 2017: a projected output and a shortcut within the output gate."""

    input, forget, output, candidate = Gate(), Gate(), Gate(), Gate()
    lift, project = Map(bias=False), Map(bias=False)

    def step(self, x: Any, h: Any, c: Any) -> Step:
        i, f = sigmoid(self.input(x, h)), sigmoid(self.forget(x, h))
        c = f * c + i * tanh(self.candidate(x, h))
        o = sigmoid(self.output(x, h))
        return dict(h=o * (self.project(tanh(c)) + self.lift(x)), c=c, input=i, forget=f, output=o)


class CoupledNBR(Cell):
    """nBRC (Vecoven et al. 2021): bistable, neuromodulated."""

    a, c, lift = Gate(), Gate(), Map()

    def step(self, x: Any, h: Any) -> Step:
        a, c = 1 + tanh(self.a(x, h)), sigmoid(self.c(x, h))
        return dict(h=c * h + (1 - c) * tanh(self.lift(x) + a * h), a=a, c=c)


class XLSTMStabilised(Cell):
    """Exponential gates with a stabiliser (Beck et al. 2024), written out."""

    i, f, z, o = Gate(), Gate(), Gate(), Gate()

    def step(self, x: Any, h: Any, c: Any, n: Any, m: Any) -> Step:
        i, f = self.i(x, h), self.f(x, h)
        top = maximum(f + m, i)
        ie, fe = exp(i - top), exp(f + m - top)
        c = fe * c + ie * tanh(self.z(x, h))
        n = fe * n + ie
        o = sigmoid(self.o(x, h))
        return dict(h=o * c / n, c=c, n=n, m=top, input=ie, forget=fe, output=o)


class DoubleState(Cell):
    """Nested LSTM (Moniz & Krueger 2017): the cell state is an LSTM of its own."""

    i, f, o, g = Gate(), Gate(), Gate(), Gate()
    i_in, f_in, o_in, g_in = (Map() for _ in range(4))
    i_back, f_back, o_back, g_back = (Map(bias=False) for _ in range(4))

    def step(self, x: Any, h: Any, c: Any, inner: Any) -> Step:
        i, f, o = sigmoid(self.i(x, h)), sigmoid(self.f(x, h)), sigmoid(self.o(x, h))
        inside, before = i * tanh(self.g(x, h)), f * c
        i2 = sigmoid(self.i_in(inside) + self.i_back(before))
        f2 = sigmoid(self.f_in(inside) + self.f_back(before))
        o2 = sigmoid(self.o_in(inside) + self.o_back(before))
        inner = f2 * inner + i2 * tanh(self.g_in(inside) + self.g_back(before))
        c = o2 * tanh(inner)
        return dict(h=o * tanh(c), c=c, inner=inner, i=i, f=f, o=o)


class PhasedKeep(Cell):
    """A GRU behind an openness that is a state of its own, as skip RNNs have it."""

    update, reset, candidate, skip = Gate(), Gate(), Gate(), Map()
    openness = State(initial=1.0)

    def step(self, x: Any, h: Any, openness: Any) -> Step:
        z, r = sigmoid(self.update(x, h)), sigmoid(self.reset(x, h))
        new = z * h + (1 - z) * tanh(self.candidate(x, r * h))
        h = where(openness > 0.5, new, h)
        rise = sigmoid(self.skip(h))
        return dict(h=h, openness=where(openness > 0.5, rise, openness + rise), update=z, reset=r)


GATED: tuple[type[Cell], ...] = (
    MCLSTM, FastGRNN, IntersectionRNN, MinLSTM, PlainMinLSTM,
    SCRN, LSTMNoOutput, FullPeephole,
    ResidualLSTM, CoupledNBR, XLSTMStabilised,
    DoubleState, PhasedKeep,
)  # fmt: skip
