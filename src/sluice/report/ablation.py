"""What a trained model loses without each of its gates, and without each of its units."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from sluice.equations.graph import Elementwise
from sluice.errors import SluiceError
from sluice.insight.clamping import clamp_units
from sluice.insight.plots.ranked import plot_ranking
from sluice.insight.recording.recorder import record
from sluice.nn.stack import RecurrentStack

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class AblationError(SluiceError, ValueError):
    """An ablation that is not possible; the message says what to do."""


@dataclass(frozen=True)
class Intervention:
    """A value clamped in one layer and direction of a model.

    Attributes:
        module: the recurrent module's name in the model; empty for the model itself.
        layer, reverse: which layer of it, in which direction.
        target: the gate's or value's name, or ``"units"``.
        mode: ``"open"`` (1), ``"shut"`` (0), ``"mean"`` (each unit at its own mean), ``"zero"``.
        units: which units; None for all.
        values: the clamped values by name, and what each is clamped at.
    """

    module: str
    layer: int
    reverse: bool
    target: str
    mode: str
    units: tuple[int, ...] | None
    values: dict[str, float | Tensor]

    @property
    def layer_name(self) -> str:
        """The layer, as ``encoder.l0_reverse``."""
        return f"{self.module}.l{self.layer}{'_reverse' * self.reverse}".removeprefix(".")

    def __str__(self) -> str:
        if self.units is None:
            return f"{self.layer_name} {self.target} {self.mode}"
        first, last = self.units[0], self.units[-1]
        return (
            f"{self.layer_name} unit {first}"
            if first == last
            else f"{self.layer_name} units {first}–{last}"
        )

    def apply(self, model: nn.Module) -> AbstractContextManager[object]:
        """Clamps the value in ``model`` inside a ``with`` block."""
        layer = model.get_submodule(self.module)
        assert isinstance(layer, RecurrentStack)
        return clamp_units(layer, self.values, self.units, layer=self.layer, reverse=self.reverse)


class Effect(NamedTuple):
    """The loss under an intervention, and its increase over the loss without."""

    intervention: Intervention
    loss: float
    increase: float


@dataclass(frozen=True)
class Ablation:
    """The effects of all interventions on a model, in the order in which they were made.

    Attributes:
        loss: of the whole model.
        effects: of each intervention.
    """

    loss: float
    effects: list[Effect]

    def rank_effects(self) -> list[Effect]:
        """The effects, the most harmful first; losses that are not finite come before all."""
        return sorted(self.effects, key=lambda effect: -_sort_key(effect.increase))

    def gates(self) -> list[Effect]:
        """Those of gates and other named values, the most harmful first."""
        return [effect for effect in self.rank_effects() if effect.intervention.units is None]

    def units(self) -> list[Effect]:
        """Those of units or groups of units, the most harmful first."""
        return [effect for effect in self.rank_effects() if effect.intervention.units is not None]

    def figure(self, theme: str = "light", label: str = "increase of the loss") -> Figure:
        """Bars of the gates' effects, and the units' in their order, a line a layer.

        Raises MissingExtraError where matplotlib is not installed, ValueError for an unknown style.
        """
        by_place: dict[str, list[float]] = {}
        for effect in self.units():
            if isfinite(effect.increase):
                by_place.setdefault(effect.intervention.layer_name, []).append(effect.increase)
        named = {str(effect.intervention): effect.increase for effect in self.gates()}
        return plot_ranking(named, by_place, label=label, theme=theme)

    def to_dict(self) -> dict[str, object]:
        """All of it, the most harmful first; None for what is not finite."""
        return {
            "loss": self.loss,
            "effects": [
                {
                    "layer": effect.intervention.layer_name,
                    "what": effect.intervention.target,
                    "how": effect.intervention.mode,
                    "units": effect.intervention.units,
                    "loss": effect.loss if isfinite(effect.loss) else None,
                    "increase": effect.increase if isfinite(effect.increase) else None,
                }
                for effect in self.rank_effects()
            ],
        }


def ablate(
    model: nn.Module,
    loss: Callable[[], float],
    *,
    run_for_means: Callable[[], object] | None = None,
    group: int = 1,
    on_progress: Callable[[int, int, Effect], None] = lambda done, whole, effect: None,
) -> Ablation:
    """Clamp each gate and silence each unit of a model in turn, and measure its loss.

    A gate (a named value that is a sigmoid or an exponential) is held open, at 1, shut, at 0, and
    at its mean; other named values that are no states at 0 and at their mean. Units are silenced,
    one after another or in groups: all states of theirs are held at 0, so that nothing reads
    them. Everything runs in evaluation mode, without gradients, on the kernels; afterwards the
    model is what it was.

    Source: Greff et al. 2017, "LSTM: A search space odyssey", there trained without a gate; Morcos
    et al. 2018, "On the importance of single directions for generalization", for single units.

    Args:
        model: a model with recurrent layers of `sluice.nn`.
        loss: runs it on held-out data and gives the loss.
        run_for_means: runs the model on the data whose means are used: over all steps and
            sequences of the last call of each layer; ``loss`` if None.
        group: how many units are silenced together.
        on_progress: called with the number of interventions done, their total, and the latest
            effect.

    Raises:
        ValueError: the model has no recurrent layer of `sluice.nn`.
        AblationError: a group of no units, or a loss that is not finite before any intervention.

    Example:
        >>> import torch, sluice
        >>> layer, x = sluice.nn.GRU(3, 4), torch.randn(6, 2, 3)
        >>> found = ablate(layer, lambda: float(layer(x)[0].square().mean()))
        >>> len(found.units()), sorted({effect.intervention.target for effect in found.gates()})
        (4, ['candidate', 'reset', 'update'])
    """
    if group < 1:
        raise AblationError(f"group must be at least 1 unit, got {group}")
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return _run_ablation(model, loss, run_for_means or loss, group, on_progress)
    finally:
        model.train(was_training)


def _run_ablation(
    model: nn.Module,
    loss: Callable[[], float],
    run_for_means: Callable[[], object],
    group: int,
    on_progress: Callable[[int, int, Effect], None],
) -> Ablation:
    if not any(isinstance(one, RecurrentStack) for one in model.modules()):
        raise AblationError(
            f"{type(model).__name__} holds no recurrent layer of sluice.nn, whose gates and units "
            "could be ablated"
        )
    whole = float(loss())
    if not isfinite(whole):
        raise AblationError(f"the loss is {whole} before any intervention; train the model first")
    cuts = list(_list_interventions(model, run_for_means, group))
    effects = []
    for done, cut in enumerate(cuts, 1):
        with cut.apply(model):
            found = float(loss())
        effects.append(Effect(cut, found, found - whole))
        on_progress(done, len(cuts), effects[-1])
    return Ablation(whole, effects)


def _list_interventions(
    model: nn.Module, run_for_means: Callable[[], object], group: int
) -> Iterator[Intervention]:
    """Every gate of every layer, then every unit."""
    with record(model) as tape:
        run_for_means()
    modules = {
        name: module for name, module in model.named_modules() if isinstance(module, RecurrentStack)
    }
    places = [
        (name, module, number, reverse)
        for name, module in modules.items()
        for number in range(module.num_layers)
        for reverse in (False, True)[: module.directions]
    ]
    for name, module, number, reverse in places:
        recorded = tape[name].layer(number, reverse)
        for value, node in module.cell.graph.outputs_by_name.items():
            if value in _find_unit_states(module):
                continue
            mean = recorded[value].mean(dim=(0, 1))
            is_gate = isinstance(node, Elementwise) and node.op in ("sigmoid", "exp")
            ways: dict[str, float | Tensor] = (
                {"open": 1.0, "shut": 0.0} if is_gate else {"zero": 0.0}
            )
            for how, at in (ways | {"mean": mean}).items():
                yield Intervention(name, number, reverse, value, how, None, {value: at})
    for name, module, number, reverse in places:
        states = dict.fromkeys(_find_unit_states(module), 0.0)
        width = module.sizes[number].of(module.cell.graph.states[0].width)
        for first in range(0, width, group):
            units = tuple(range(first, min(first + group, width)))
            yield Intervention(name, number, reverse, "units", "zero", units, dict(states))


def _find_unit_states(module: RecurrentStack) -> list[str]:
    """The states as wide as the first, which is the output: those that make up its units."""
    states = module.cell.graph.states
    return [state.name for state in states if state.width == states[0].width]


def _sort_key(increase: float) -> float:
    return increase if isfinite(increase) else float("inf")
