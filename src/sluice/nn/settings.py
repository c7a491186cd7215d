"""Settings of a layer that may change between calls: backend, precision, recomputation."""

from __future__ import annotations

from typing import NoReturn

from sluice.run.dispatch import FUSED, NATIVE, REFERENCE
from sluice.run.kernels import fused


class BackendSetting:
    """The backend that a layer or a one-step cell is asked to run on."""

    _backend: str | None = None

    @property
    def backend(self) -> str | None:
        """``"reference"`` runs the equations step by step, ``"native"`` torch's own layer,
        ``"fused"`` the kernels, wherever there is a choice; None, the default, the fastest that can
        run. What runs in fact is ``resolved_backend``.

        Raises ValueError for any other name.
        """
        return self._backend

    @backend.setter
    def backend(self, name: str | None) -> None:
        if name not in (None, REFERENCE, NATIVE, FUSED):
            raise ValueError(
                f"backend must be {REFERENCE!r}, {NATIVE!r}, {FUSED!r} or None (the fastest that "
                f"can run), got {name!r}"
            )
        self._backend = name

    def __prepare_scriptable__(self) -> NoReturn:
        """What torch.jit.script asks first. Raises RuntimeError that says what to do instead."""
        raise RuntimeError(
            f"torch.jit.script cannot compile {type(self).__name__}, whose equations are data: "
            "export the model by torch.export.export, record it by torch.jit.trace, or give "
            'torch.jit.script what sluice.nn.convert(model, to="torch") returns'
        )


class LayerSettings(BackendSetting):
    """Attributes of every recurrent layer that may be set between two calls."""

    _precision: str = "float32"
    _recompute: int | None = None

    @property
    def precision(self) -> str:
        """What a float32 layer's kernels multiply in: ``"float32"``, ``"bfloat16"`` (weights
        rounded at every call, sums in float32) or ``"int8"`` (for evaluation).

        Raises ValueError for any other name.
        """
        return self._precision

    @precision.setter
    def precision(self, name: str) -> None:
        if name not in fused.PRECISIONS:
            raise ValueError(
                f"precision must be one of {', '.join(fused.PRECISIONS)}, got {name!r}"
            )
        self._precision = name

    @property
    def recompute(self) -> int | None:
        """How many steps of a training pass are kept at a time; None for all of them.

        With ``k``, the states are kept every k steps and the steps between run again in the
        backward pass: about half as much work again, for memory that grows like time / k + k beside
        input and output. Values are the same; gradients of weights are summed in another order. Has
        no effect under ``torch.func``, in forward mode and in compiled programs: they keep every
        step.

        Raises ValueError for less than 1, TypeError for anything but an int.
        """
        return self._recompute

    @recompute.setter
    def recompute(self, steps: int | None) -> None:
        if steps is not None and (not isinstance(steps, int) or isinstance(steps, bool)):
            raise TypeError(
                f"recompute must be a number of steps (an int) or None, got {type(steps).__name__}"
            )
        if steps is not None and steps < 1:
            raise ValueError(f"recompute must be at least 1 step, or None for never; got {steps}")
        self._recompute = steps
