"""Constructors of the cells under test, and sizes that suit all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sluice.cells import (
    CIFG,
    GRU,
    LSTM,
    LSTM1997,
    MGU,
    SLSTM,
    Cell,
    Elman,
    Gate,
    Jordan,
    LayerNormElman,
    LayerNormGRU,
    LayerNormLSTM,
    Map,
    PeepholeLSTM,
    ProjectedLSTM,
    ResetBeforeGRU,
    Scalar,
    State,
    layer_norm,
    recurrent_dropout,
    zoneout,
)
from sluice.equations import (
    Sizes,
    cumulative_sum,
    max_units,
    maximum,
    rms_norm,
    sigmoid,
    softmax,
    tanh,
    where,
)

SIZES = Sizes(input=3, hidden=4, projection=2)


class Rising(Cell):
    """A comparison and a maximum, each needed before, between and after two products of a step."""

    candidate, first, second = Gate(), Map(), Map()

    def step(self, x: Any, h: Any) -> Any:
        g = tanh(self.candidate(x, h))
        rises, top = g > h, maximum(g, h)
        rise = where(rises, g - h, 0.0)
        a = tanh(self.first(top - rise))
        b = sigmoid(self.second(where(rises, a, h) * maximum(a, top)))
        new = where(rises, b * top, maximum(a, g) * b)
        return dict(h=new, candidate=g, rise=rise, first=a, second=b)


class SoftStep(Cell):
    """Sums and maxima over units, a cumulative sum, a state and a scalar of one number a row."""

    score, candidate = Gate(), Gate()
    slope = Scalar(initial=1.5)
    level = State(width=1)

    def step(self, x: Any, h: Any, level: Any) -> Any:
        weights = softmax(self.score(x, h))
        kept = cumulative_sum(weights)
        g = tanh(self.candidate(x, h) * self.slope + level)
        level = 0.8 * level + 0.2 * max_units(g * weights)
        new = rms_norm(kept * h + (1.0 - kept) * g, epsilon=3.0)
        return dict(h=new, level=level, weights=weights, candidate=g)


class PartlyBiased(Cell):
    """Gates with both biases, with one, and with none, in one stack."""

    update, candidate, shift = Gate(), Gate(bias=False), Gate(bias="input")

    def step(self, x: Any, h: Any) -> Any:
        z, g = sigmoid(self.update(x, h)), tanh(self.candidate(x, h))
        return dict(h=z * h + (1.0 - z) * g + 0.1 * self.shift(x, h), update=z, candidate=g)


CELLS: dict[str, Callable[[], Cell]] = {
    "elman": Elman,
    "elman-relu": lambda: Elman("relu"),
    "jordan": Jordan,
    "lstm": LSTM,
    "lstm-1997": LSTM1997,
    "peephole": PeepholeLSTM,
    "cifg": CIFG,
    "projected": ProjectedLSTM,
    "gru": GRU,
    "gru-reset-before": ResetBeforeGRU,
    "mgu": MGU,
    "slstm": lambda: SLSTM(heads=2),
    "slstm-exponential": lambda: SLSTM(heads=1, forget="exponential"),
    "layer-norm-lstm": LayerNormLSTM,
    "layer-norm-lstm-by-gate": lambda: LayerNormLSTM("gate"),
    "layer-norm-gru": LayerNormGRU,
    "layer-norm-elman": LayerNormElman,
    "layer-norm-two-stages": lambda: layer_norm(ResetBeforeGRU),
    "zoneout-lstm": lambda: zoneout(LSTM, h=0.1, c=0.5),
    "dropout-gru": lambda: recurrent_dropout(GRU, 0.25),
    "rising": Rising,
    "zoneout-dropout-peephole": lambda: zoneout(recurrent_dropout(PeepholeLSTM, 0.2), c=0.1),
    "soft-step": SoftStep,
    "partly-biased": PartlyBiased,
}
GPU_CELLS = {name: make for name, make in CELLS.items() if name != "soft-step"}
"""Those that the kernels of GPUs run: they have no functions of whole rows."""
