"""Which calls of a module make one sequence."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sluice.run.recording.recorded_calls import start_from


class CallLog:
    """The calls of one module, as they begin and return.

    Attributes:
        count: How many calls the sequence has, the one that runs not counted.
        earlier: How many calls there were before the sequence.
        is_new: Whether no layer of the call that runs has begun.
    """

    def __init__(self) -> None:
        self.count, self.earlier, self.is_new = 0, 0, True
        self._cell: object = None
        self._returned: Sequence[Tensor] = ()

    def begin(self, cell: object, states: Sequence[Tensor] | None, goes_forward: bool) -> bool:
        """A call with ``cell`` begins, from ``states``; whether it continues the sequence."""
        self.is_new = True
        goes_on = (
            self.count > 0
            and goes_forward
            and states is not None
            and self._cell is cell
            and start_from(states, self._returned)
        )
        if not goes_on:
            self.forget()
        return goes_on

    def finish(self, cell: object, states: Sequence[Tensor]) -> None:
        """The call has returned ``states``."""
        self.count += 1
        self._cell, self._returned = cell, [state.detach().clone() for state in states]

    def forget(self) -> None:
        """The sequence is given up."""
        self.earlier += self.count
        self.count, self._returned = 0, ()
