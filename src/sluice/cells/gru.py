"""Gated recurrent units: both forms of the reset gate, and the minimal gated unit."""

from __future__ import annotations

from sluice.cells.activations import ActivatedCell
from sluice.cells.declarations import Gate
from sluice.equations.ops import Value


class GRU(ActivatedCell):
    """The gated recurrent unit with the reset *after* the product (Cho et al. 2014, in its first
    version, arXiv:1406.1078v1; the form of cuDNN), as `torch.nn.GRU` has it: z keeps the old state.

    Good for: small data and fast training; one state, three quarters of an LSTM's weights.
    """

    reset, update, candidate = Gate(), Gate(), Gate()
    forget_gate_name = "update"

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        sigma, phi = self.gate_activation, self.activation
        r = sigma(self.reset(x, h))
        z = sigma(self.update(x, h))
        n = phi(self.candidate(x) + r * self.candidate(h=h))
        return dict(h=(1.0 - z) * n + z * h, reset=r, update=z, candidate=n)


class ResetBeforeGRU(ActivatedCell):
    """The gated recurrent unit of the paper (Cho et al. 2014, equations 5 to 8): the reset gate
    acts on the state *before* the product, which makes a second stage of the step.

    Good for: models of Keras' older releases and the papers' results, where the reset comes first.
    """

    reset, update, candidate = Gate(), Gate(), Gate()
    forget_gate_name = "update"

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        sigma, phi = self.gate_activation, self.activation
        r = sigma(self.reset(x, h))
        z = sigma(self.update(x, h))
        n = phi(self.candidate(x, r * h))
        return dict(h=z * h + (1.0 - z) * n, reset=r, update=z, candidate=n)


class MGU(ActivatedCell):
    """The minimal gated unit (Zhou et al. 2016, section 3.1): one gate both resets and writes.

    Good for: the smallest gated cell that resets.
    """

    forget, candidate = Gate(), Gate()

    def step(self, x: Value, h: Value) -> dict[str, Value]:
        sigma, phi = self.gate_activation, self.activation
        f = sigma(self.forget(x, h))
        n = phi(self.candidate(x, f * h))
        return dict(h=(1.0 - f) * h + f * n, forget=f, candidate=n)
