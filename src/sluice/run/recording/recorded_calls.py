"""The calls of one layer and direction that make one sequence, read as one recording.

A call continues a sequence if the states that it is given are what the call before returned.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.run.recording.recorded_pass import Recording
from sluice.run.torch_state import get_backward_pass


class RecordedCalls:
    """The recordings of some calls, one after another in time.

    Derivatives are those of the last backward pass through each *stretch*: calls whose states are
    in one autograd graph, up to where a state was detached. What that pass did not reach is zero.

    Args:
        earlier_calls: How many calls were recorded before, and given up for these.
    """

    def __init__(self, earlier_calls: int = 0) -> None:
        self._parts = list[Recording]()
        self._earlier_calls = earlier_calls
        self._stretches: list[list[Recording]] = []
        self._passes: list[int | None] = []
        self._joined: dict[str, tuple[int, Tensor]] = {}

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def rows(self) -> int:
        """How many steps are recorded."""
        return sum(part.rows for part in self._parts)

    def append(self, part: Recording, is_attached: bool) -> None:
        """The next call begins; ``is_attached`` says whether gradients flow from its states."""
        part.begin_after(sum(one.steps for one in self._parts))
        if not is_attached or not self._stretches:
            self._stretches.append([])
            self._passes.append(None)
        number = len(self._stretches) - 1
        self._stretches[-1].append(part)
        own = weakref.ref(self)

        def on_backward() -> None:
            if (calls := own()) is not None:
                calls._begin_backward(number)

        part.before_gradients = on_backward
        self._parts.append(part)

    def drop_after(self, count: int) -> None:
        """Forget all parts but the first ``count``: a call did not reach its end."""
        for part in self._parts[count:]:
            self._stretches[-1].remove(part)
        del self._parts[count:]

    def _begin_backward(self, stretch: int) -> None:
        """A backward pass reaches a stretch: what an earlier one left there is void."""
        current = get_backward_pass()
        if current is None or self._passes[stretch] == current:
            return
        self._passes[stretch] = current
        for part in self._stretches[stretch]:
            part.drop_gradients()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the recorded values."""
        return self._parts[0].names

    @property
    def graph(self) -> Graph:
        """The equations that ran."""
        return self._parts[0].graph

    @property
    def has_bias(self) -> bool:
        """Whether their maps had biases."""
        return self._parts[0].has_bias

    @property
    def reverse(self) -> bool:
        """Whether the steps ran from the last to the first."""
        return self._parts[0].reverse

    @property
    def backend(self) -> str:
        """Which backend ran; where calls ran on several, all of them."""
        return " and ".join(dict.fromkeys(part.backend for part in self._parts))

    @property
    def every(self) -> int:
        """Row k of a value is step ``k * every``."""
        return self._parts[0].every

    @property
    def has_gradients(self) -> bool:
        """Whether there was a backward pass through any of the calls."""
        return any(part.has_gradients for part in self._parts)

    @property
    def backward_count(self) -> int:
        """How often gradients of a call arrived."""
        return sum(part.backward_count for part in self._parts)

    def value(self, name: str) -> Tensor:
        """A named value of all steps. Raises RuntimeError if a call was interrupted."""
        if len(self._parts) == 1:
            return self._parts[0].value(name)
        count, joined = self._joined.get(name, (0, torch.empty(0)))
        if count != len(self._parts):
            joined = torch.cat([part.value(name) for part in self._parts])
            self._joined[name] = len(self._parts), joined
        return joined

    def gradient(self, name: str) -> Tensor:
        """The derivative of the loss with respect to a value, at all steps.

        Raises RuntimeError where there was no backward pass.
        """
        if not self.has_gradients:
            raise RuntimeError(self._explain_no_gradients())
        if len(self._parts) == 1:
            return self._parts[0].gradient(name)
        like = next(part for part in self._parts if part.has_gradients).gradient(name)
        found = [
            part.gradient(name)
            if part.has_gradients
            else like.new_zeros(part.rows, *like.shape[1:])
            for part in self._parts
        ]
        return torch.cat(found)

    def _explain_no_gradients(self) -> str:
        if not self._earlier_calls:
            if any(part.needs_grad for part in self._parts):
                return "there are no derivatives yet; call backward() on a loss first"
            return (
                "there are no derivatives: the recorded pass ran without gradients (no_grad, int8, "
                "or nothing that requires one); record a pass that trains, then call backward()"
            )
        count, total = len(self._parts), self._earlier_calls + len(self._parts)
        which = f"the last of {total} calls of this layer"
        if count > 1:
            which = f"the sequence of the last {count} of {total} calls of this layer"
        if any(part.needs_grad for part in self._parts):
            problem = "has had no backward()"
        else:
            problem = "ran without gradients (no_grad, int8, or nothing that requires one)"
        return (
            f"there are no derivatives: the tape holds {which}, which {problem}. Read those of an "
            "earlier call before the layer is called again, or leave the block before that"
        )


def start_from(given: Sequence[Tensor], returned: Sequence[Tensor]) -> bool:
    """Whether states ``given`` to a call, ``(batch, width)`` each, are what the last ``returned``.

    They are if any sequence of the batch starts from numbers that were returned, for it or for
    another one (as after a search that reorders its hypotheses), zeros not counted; or if all are
    the same. So a loop may replace the states of some sequences, as where those are padded or
    start anew.
    """
    kinds = [(one.shape, one.dtype, one.device) for one in given]
    if kinds != [(one.shape, one.dtype, one.device) for one in returned]:
        return False
    if any(one.is_meta for one in given):
        return False
    mine, theirs = (torch.cat([s.detach() for s in states], 1) for states in (given, returned))
    same = ((mine == theirs) | (mine.isnan() & theirs.isnan())).all(1)
    moved = (mine != 0).any(1)
    if bool(same.all()) or bool((same & moved).any()):
        return True
    return any(bool((row == theirs).all(1).any()) for row in mine[moved])
