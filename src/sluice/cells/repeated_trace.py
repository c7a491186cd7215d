"""Whether a step says the same each time it is read: no random number may be part of it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

from torch.overrides import TorchFunctionMode

from sluice.equations.graph import Graph
from sluice.equations.symbol import EquationError

_HINT = (
    "equations are read once, so that one draw would stay for ever; declare noise = "
    "Noise(std=...) or Mask(rate=...) and take it as an argument, as in step(self, x, h, noise); "
    "constants are drawn in __init__"
)
_TRIES = 5  # another thread may draw meanwhile
_DRAWS = frozenset(
    "rand randn randint randperm rand_like randn_like randint_like normal bernoulli multinomial "
    "poisson binomial dropout alpha_dropout feature_dropout uniform_ normal_ random_ bernoulli_ "
    "exponential_ geometric_ log_normal_ cauchy_ seed manual_seed".split()
)


class _RefusingDraws(TorchFunctionMode):
    """Inside, torch draws no random numbers."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(function, "__name__", "")
        if name in _DRAWS:
            raise EquationError(f"a step cannot use torch's {name}: {_HINT}")
        return function(*args, **(kwargs or {}))


def trace_repeatably(trace: Callable[[], Graph], place: str) -> Graph:
    """The graph that ``trace`` reads from the step at ``place``.

    Raises `EquationError` for a step that draws random numbers, or whose equations are others each
    time they are read.
    """
    drawn = ""
    for _ in range(_TRIES):
        before = _read_generators()
        with _RefusingDraws():
            graph = trace()
        after = _read_generators()
        drawn = next((name for name, state in before.items() if after[name] != state), "")
        if not drawn:
            break
    if drawn:
        raise EquationError(f"{place}step draws random numbers from {drawn}: {_HINT}")
    if trace().outputs != graph.outputs:
        raise EquationError(f"{place}step has other equations each time it is read: {_HINT}")
    return graph


def _read_generators() -> dict[str, object]:
    """The state of each library's global generator, comparable by ``==``."""
    found: dict[str, object] = {"Python's random": random.getstate()}
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        name, keys, *rest = numpy.random.get_state()
        found["NumPy"] = (name, keys.tobytes(), *rest)
    return found
