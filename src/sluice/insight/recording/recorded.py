"""The contents of a tape: named values and derivatives of each layer and direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sluice.equations.instrument import PREACTIVATION_PREFIX
from sluice.insight.recording.call_log import CallLog
from sluice.nn.rnn_cells import SingleStepCell
from sluice.nn.stack import RecurrentStack
from sluice.run.recording.recorded_pass import RecordedValueSource

RecordableModule = RecurrentStack | SingleStepCell
FloatArray = NDArray[np.float32] | NDArray[np.float64]


class RecordedValues(Mapping[str, Tensor]):
    """Tensors by name, ``(time, batch, width)`` each; ``values.forget`` is ``values["forget"]``.

    They are read from the tape at first use. Where a sequence has ended they are zero.
    A name that is also a method of mappings, such as ``items``, needs brackets. Recorded
    pre-activations are ``values["pre.forget"]`` and ``values.pre.forget``.
    """

    def __init__(self, recording: RecordedValueSource, place: str, prefix: str = "") -> None:
        self._recording, self._owner, self._prefix = recording, place, prefix

    def __getitem__(self, name: str) -> Tensor:
        """The value called ``name``. Raises KeyError where there is none of that name."""
        return self._recording.value(self._resolve(name))

    def _resolve(self, name: str) -> str:
        whole = self._prefix + name
        if whole not in self._recording.names:
            raise KeyError(self._describe_missing(name))
        return whole

    def _describe_missing(self, name: str) -> str:
        hint = ""
        if f"{self._prefix}{name}.".startswith(PREACTIVATION_PREFIX) and not any(
            known.startswith(PREACTIVATION_PREFIX) for known in self._recording.names
        ):
            hint = "; pre-activations are recorded with sluice.record(model, pre=True)"
        names = ", ".join(self) or "nothing"
        asked = f"'{self._prefix}{name}'"
        return f"{self._owner} has no value {asked}; it was recorded with the names {names}{hint}"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._prefix + name in self._recording.names:
            return self[name]
        inner = f"{self._prefix}{name}."
        if any(known.startswith(inner) for known in self._recording.names):
            return type(self)(self._recording, self._owner, inner)
        raise AttributeError(self._describe_missing(name))

    def __iter__(self) -> Iterator[str]:
        names = (name for name in self._recording.names if name.startswith(self._prefix))
        return (name.removeprefix(self._prefix) for name in names)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._owner}: {', '.join(self)}>"

    def numpy(self) -> dict[str, FloatArray]:
        """All of them as NumPy arrays (bfloat16, which NumPy lacks, as float32)."""
        return {name: to_numpy(tensor) for name, tensor in self.items()}


class RecordedGradients(RecordedValues):
    """The total derivative of the loss with respect to each named value, through all paths.

    It is that of the last ``backward()``. Reading raises RuntimeError before one, or if the
    recorded pass ran without gradients.
    """

    def __getitem__(self, name: str) -> Tensor:
        return self._recording.gradient(self._resolve(name))


class RecordedLayer(RecordedValues):
    """One layer in one direction: its named values, and with `gradient` their derivatives."""

    _label = ""

    @property
    def gradient(self) -> RecordedGradients:
        """The derivatives, by the same names."""
        return RecordedGradients(self._recording, f"the gradient of {self._owner}", self._prefix)

    @property
    def has_gradient(self) -> bool:
        """Whether there was a backward pass."""
        return self._recording.has_gradients

    @property
    def is_reverse(self) -> bool:
        """Whether it read from the end: its step t found the states of t + 1."""
        return self._recording.reverse

    @property
    def backward_count(self) -> int:
        """How often a backward pass has reached one of the recorded calls."""
        return self._recording.backward_count

    @property
    def backend(self) -> str:
        """The backend that ran, ``"fused"`` or ``"reference"``."""
        return self._recording.backend

    @property
    def every(self) -> int:
        """Row k of a value is step ``k * every``."""
        return self._recording.every


class RecordedModule:
    """The last sequence of one recurrent module: a `RecordedLayer` for each layer and direction.

    It is one call, or several that each begin with the states that the one before returned.

    If there is only one, its values are attributes: ``tape["encoder"].forget``,
    ``tape["encoder"].gradient.forget``.
    """

    def __init__(self, name: str, module: RecordableModule) -> None:
        self._name, self._module = name, module
        self._recordings: dict[int, RecordedValueSource] = {}
        self._log = CallLog()

    @property
    def layers(self) -> dict[str, RecordedLayer]:
        """Every layer and direction, ``"l0"``, ``"l0_reverse"``, ``"l1"``, … as torch names them.

        Raises RuntimeError if no call has been recorded.
        """
        self._require_recording()
        found = {}
        for place, recording in sorted(self._recordings.items()):
            label = self._layer_label(place)
            found[label] = RecordedLayer(recording, f"{self._description} {label}")
            found[label]._label = self._file_label(place)
        return found

    def layer(self, layer: int, reverse: bool = False) -> RecordedLayer:
        """One layer, counted from 0, in one direction.

        Raises IndexError where the module has no such layer or direction, RuntimeError where no
        call has been recorded.
        """
        places, label = self.layers, layer_label(layer, reverse)
        if label not in places:
            raise IndexError(
                f"{self._description} has no {label}; its layers are {', '.join(places)}"
            )
        return places[label]

    def _file_label(self, place: int) -> str:
        """The name of a place in files; for the tape."""
        return f"{self._name}.{self._layer_label(place)}".removeprefix(".")

    def _layer_label(self, place: int) -> str:
        layer, direction = divmod(place, self._module.directions)
        return layer_label(layer, bool(direction))

    def __getitem__(self, name: str) -> Tensor:
        return self._require_single_layer(name)[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._require_single_layer(name), name)

    def __repr__(self) -> str:
        return f"<RecordedModule {self._description}: {len(self._recordings)} places>"

    def _require_single_layer(self, name: str) -> RecordedLayer:
        places = self.layers
        if len(places) > 1:
            calls = [f"layer({label[1:]})" for label in places if "_" not in label]
            calls += ["layer(0, reverse=True)"] if "l0_reverse" in places else []
            raise AttributeError(
                f"{self._description} has {len(places)} layers, {', '.join(places)}: say whose "
                f"'{name}', as in {' or '.join(calls[-2:])}"
            )
        return next(iter(places.values()))

    @property
    def _description(self) -> str:
        return f"'{self._name}'" if self._name else f"the {type(self._module).__name__}"

    def _require_recording(self) -> None:
        if not self._recordings:
            raise RuntimeError(
                f"{self._description} has recorded nothing: call the model inside the with block "
                "(a compiled or exported program is not recorded, nor is another thread)"
            )


def layer_label(layer: int, reverse: bool) -> str:
    """A place's name as torch names it: ``l0``, ``l1_reverse``."""
    return f"l{layer}" + "_reverse" * reverse


def to_numpy(tensor: Tensor) -> FloatArray:
    """A tensor as a NumPy array, bfloat16 as float32."""
    array: FloatArray = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).cpu().numpy()
    return array
