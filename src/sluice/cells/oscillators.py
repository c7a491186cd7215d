"""Cells that are time-stepped differential equations: oscillators and multiscale systems."""

from __future__ import annotations

from sluice.cells.cell import Cell
from sluice.cells.declarations import Gate, Map, Vector
from sluice.equations.ops import Value, sigmoid, tanh


class CoRNN(Cell):
    """Coupled oscillators, damped and driven (Rusch & Mishra 2021, equation 3).

    ``dt`` is the time step, ``gamma`` the frequency, ``epsilon`` the damping.

    Good for: long sequences of sensors; its gradient is bounded, whatever the length.
    """

    drive = Gate()
    coupling = Map(bias=False)

    def __init__(self, dt: float = 0.05, gamma: float = 2.7, epsilon: float = 4.7) -> None:
        self.dt, self.gamma, self.epsilon = dt, gamma, epsilon

    def step(self, x: Value, h: Value, z: Value) -> dict[str, Value]:
        a = tanh(self.drive(x, h) + self.coupling(z))
        z = z + self.dt * (a - self.gamma * h - self.epsilon * z)
        return dict(h=h + self.dt * z, z=z, drive=a)


class UnICORNN(Cell):
    """Undamped oscillators, each for itself, with a learned pace (Rusch & Mishra 2021b, equation
    5; a Hamiltonian system under symplectic Euler steps).

    Good for: very long sequences in deep stacks; it can be run backwards, so nothing vanishes.
    """

    drive = Gate()
    own, pace = Vector(), Vector()

    def __init__(self, dt: float = 0.1, alpha: float = 1.0) -> None:
        self.dt, self.alpha = dt, alpha

    def step(self, x: Value, h: Value, z: Value) -> dict[str, Value]:
        rate = self.dt * sigmoid(self.pace)
        a = tanh(self.own * h + self.drive(x))
        z = z - rate * (a + self.alpha * h)
        return dict(h=h + rate * z, z=z, drive=a)


class LEM(Cell):
    """Long expressive memory: two states with learned time steps (Rusch et al. 2022, equation 3).

    ``dt`` is the largest time step.

    Good for: signals with several time scales.
    """

    pace, slow_pace, candidate = Gate(), Gate(), Gate()
    memory = Map()
    read = Map(bias=False)

    def __init__(self, dt: float = 1.0) -> None:
        self.dt = dt

    def step(self, x: Value, h: Value, z: Value) -> dict[str, Value]:
        p = self.dt * sigmoid(self.pace(x, h))
        q = self.dt * sigmoid(self.slow_pace(x, h))
        z = (1.0 - p) * z + p * tanh(self.candidate(x, h))
        h = (1.0 - q) * h + q * tanh(self.read(z) + self.memory(x))
        return dict(h=h, z=z, pace=p, slow_pace=q)
