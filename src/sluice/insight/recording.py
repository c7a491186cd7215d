"""Recordings: every named value of every recurrent layer, and its derivative, step by step."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from sluice.files import write_whole
from sluice.insight.labelled import to_xarray
from sluice.nn.stack import RecurrentStack
from sluice.run import recording as switch

if TYPE_CHECKING:
    import xarray


class Values(Mapping[str, Tensor]):
    """Tensors by name, ``(time, batch, width)`` each; ``values.forget`` is ``values["forget"]``.

    They are read from the tape when first asked for. Where a sequence has ended they are zero.
    A name that a mapping has a use for, such as ``items``, is at hand in brackets alone.
    """

    def __init__(self, recording: switch.Recording, place: str) -> None:
        self._recording, self._place = recording, place

    def __getitem__(self, name: str) -> Tensor:
        """The value called ``name``. Raises KeyError where the cell has none of that name."""
        if name not in self._recording.names:
            raise KeyError(_no_name(self._place, name, self._recording.names))
        return self._recording.value(name)

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_") or name not in self._recording.names:
            raise AttributeError(_no_name(self._place, name, self._recording.names))
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._recording.names)

    def __len__(self) -> int:
        return len(self._recording.names)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._place}: {', '.join(self)}>"

    def numpy(self) -> dict[str, np.ndarray[Any, Any]]:
        """All of them as NumPy arrays (bfloat16, which NumPy lacks, as float32)."""
        return {name: _array(tensor) for name, tensor in self.items()}


class Gradient(Values):
    """The total derivative of the loss with respect to each named value, through all paths.

    It is that of the last ``backward()`` that came by. Reading raises RuntimeError before one, or
    where the recorded pass ran without gradients.
    """

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._recording.names:
            raise KeyError(_no_name(self._place, name, self._recording.names))
        return self._recording.gradient(name)


class Recorded(Values):
    """One layer in one direction: its named values, and with `gradient` their derivatives."""

    @property
    def gradient(self) -> Gradient:
        """The derivatives, by the same names."""
        return Gradient(self._recording, f"the gradient of {self._place}")

    @property
    def has_gradient(self) -> bool:
        """Whether a backward pass has come by."""
        return self._recording.has_gradients

    @property
    def backend(self) -> str:
        """The backend that ran, ``"fused"`` or ``"reference"``."""
        return self._recording.backend


class RecordedModule:
    """The last call of one recurrent module: a `Recorded` for each of its layers and directions.

    Where there is only one, its values are at hand here: ``tape["encoder"].forget``,
    ``tape["encoder"].gradient.forget``.
    """

    def __init__(self, name: str, module: RecurrentStack) -> None:
        self._name, self._module = name, module
        self._recordings: dict[int, switch.Recording] = {}

    @property
    def places(self) -> dict[str, Recorded]:
        """Every layer and direction, ``"l0"``, ``"l0_reverse"``, ``"l1"``, … as torch names them.

        Raises RuntimeError where no call has been recorded.
        """
        self._require()
        found = {}
        for place, recording in sorted(self._recordings.items()):
            layer, direction = divmod(place, self._module.directions)
            label = f"l{layer}" + "_reverse" * direction
            found[label] = Recorded(recording, f"{self._told} {label}")
        return found

    def layer(self, number: int, reverse: bool = False) -> Recorded:
        """One layer, counted from 0, in one direction.

        Raises IndexError where the module has no such layer or direction, RuntimeError where no
        call has been recorded.
        """
        places, label = self.places, f"l{number}" + "_reverse" * reverse
        if label not in places:
            raise IndexError(f"{self._told} has no {label}; it has {', '.join(places)}")
        return places[label]

    def __getitem__(self, name: str) -> Tensor:
        return self._only(name)[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._only(name), name)

    def __repr__(self) -> str:
        return f"<RecordedModule {self._told}: {len(self._recordings)} places>"

    def _only(self, name: str) -> Recorded:
        places = self.places
        if len(places) > 1:
            calls = [f"layer({label[1:]})" for label in places if "_" not in label]
            calls += ["layer(0, reverse=True)"] if "l0_reverse" in places else []
            raise AttributeError(
                f"{self._told} has {len(places)} places, {', '.join(places)}: say whose '{name}', "
                f"as in {' or '.join(calls[-2:])}"
            )
        return next(iter(places.values()))

    @property
    def _told(self) -> str:
        return f"'{self._name}'" if self._name else f"the {type(self._module).__name__}"

    def _require(self) -> None:
        if not self._recordings:
            raise RuntimeError(
                f"{self._told} has recorded nothing: call the model inside the with block "
                "(a compiled or exported program is not recorded)"
            )


class Tape:
    """What `record` gives: the recurrent modules of a model by their names in it.

    ``tape["encoder"]`` is the module that the model calls ``encoder``, ``tape[""]`` the model
    itself where it is a recurrent layer. Where there is one module in all, its values are at hand
    on the tape: ``tape.forget``, ``tape.gradient.forget``, ``tape.layer(1).forget``.

    Only the last call of each module is kept. After the ``with`` block nothing more is recorded,
    but a ``backward()`` through a recorded call still leaves its derivatives. The same tape may
    be entered again later; tapes may be nested, and each records what it hears.
    """

    def __init__(self, model: nn.Module) -> None:
        self._modules: dict[str, RecordedModule] = {}
        self._by_module: dict[object, RecordedModule] = {}
        for name, module in model.named_modules(remove_duplicate=False):
            if hasattr(module, "_orig_mod") or module._compiled_call_impl is not None:
                raise ValueError(f"'{name}' is compiled; record the plain model instead")
            if isinstance(module, RecurrentStack):
                found = self._by_module.setdefault(module, RecordedModule(name, module))
                self._modules[name] = found
        if not self._modules:
            raise ValueError(
                f"{type(model).__name__} holds no recurrent layer of sluice.nn to record; "
                "sluice.nn.convert(model) makes its torch layers ours"
            )

    def __enter__(self) -> Tape:
        if switch.listening(self):
            raise RuntimeError("this tape is recording already; call sluice.record for another")
        switch.start(self)
        return self

    def __exit__(self, *_: object) -> None:
        switch.stop(self)

    def hears(self, layer: object) -> bool:
        """Whether ``layer`` is one of the model's; for the layers themselves."""
        return layer in self._by_module

    def take(self, layer: object, place: int, recording: switch.Recording) -> None:
        """A pass begins; for the layers themselves."""
        kept = self._by_module[layer]._recordings
        if place == 0:
            kept.clear()
        kept[place] = recording

    def __getitem__(self, name: str) -> RecordedModule:
        """The module called ``name``. Raises KeyError where the model has none."""
        if name not in self._modules:
            raise KeyError(f"no recurrent layer is called '{name}'; there are {self._names()}")
        return self._modules[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if len(self._by_module) > 1:
            raise AttributeError(
                f"the model has several recurrent layers, {self._names()}: say whose '{name}', as "
                f"in tape[{next(iter(self._modules))!r}].{name}"
            )
        return getattr(next(iter(self._modules.values())), name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __repr__(self) -> str:
        return f"<Tape of {self._names()}>"

    def _names(self) -> str:
        return ", ".join(map(repr, self._modules))

    def tensors(self) -> dict[str, Tensor]:
        """All that is recorded, as ``encoder.l0_reverse.forget``; derivatives, where there are
        any, as ``encoder.l0_reverse.gradient.forget``.

        Raises RuntimeError where a module has recorded nothing.
        """
        found: dict[str, Tensor] = {}
        for module in self._by_module.values():
            for label, place in module.places.items():
                prefix = f"{module._name}.{label}".removeprefix(".")
                found |= {f"{prefix}.{name}": value for name, value in place.items()}
                if place.has_gradient:
                    pairs = place.gradient.items()
                    found |= {f"{prefix}.gradient.{name}": value for name, value in pairs}
        return found

    def numpy(self) -> dict[str, np.ndarray[Any, Any]]:
        """`tensors` as NumPy arrays (bfloat16, which NumPy lacks, as float32)."""
        return {name: _array(tensor) for name, tensor in self.tensors().items()}

    def xarray(self) -> xarray.DataTree:
        """All of it with named dimensions, ``tape.xarray()["encoder/l0"].forget``.

        Dimensions are ``time``, ``batch`` and ``unit``, or ``projection`` for a projected state;
        derivatives are in ``encoder/l0/gradient``.

        Raises MissingExtra where xarray, the extra of that name, is not installed, RuntimeError
        where a module has recorded nothing.
        """
        return to_xarray(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `tensors` as one safetensors file, whole or not at all.

        Raises RuntimeError where a module has recorded nothing, OSError where the file cannot be
        written.
        """
        tensors = {name: tensor.contiguous() for name, tensor in self.tensors().items()}
        metadata = {"format": "sluice recording", "layout": "time, batch, width"}
        write_whole(Path(path), safetensors.torch.save(tensors, metadata))


def record(model: nn.Module) -> Tape:
    """Record every named value of the recurrent layers of ``model`` inside a ``with`` block.

    The names are the keys that a cell's ``step`` returns: states, gates, candidate. Values are
    tensors ``(time, batch, width)``, whatever the layout of the input, the batch in the caller's
    order, zero where a sequence has ended. After ``backward()`` the total derivative of the loss
    with respect to each is there too, by the same names.

    Outputs are bit for bit those of a run that is not recorded, on the kernels and on the
    reference; what would run on torch's own layer, which shows no gates, runs on the reference.
    The block reaches its own thread, and calls of layers: not streams, nor the cells of
    `sluice.nn`. Inside it a layer refuses, with a RuntimeError, to run under torch.compile,
    torch.export or a ``torch.func`` transform.

    Args:
        model: The model, or a recurrent layer.

    Returns:
        A `Tape`, to be entered by ``with``.

    Raises:
        ValueError: ``model`` holds no recurrent layer of `sluice.nn`, or a compiled module.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(3, 8)
        >>> with sluice.record(layer) as tape:
        ...     y, _ = layer(torch.randn(5, 2, 3))
        ...     y.sum().backward()
        >>> tape.forget.shape, tape.gradient.forget.shape
        (torch.Size([5, 2, 8]), torch.Size([5, 2, 8]))
    """
    return Tape(model)


def _no_name(place: str, name: str, names: tuple[str, ...]) -> str:
    return f"{place} has no value '{name}'; its cell names {', '.join(names)}"


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = (
        (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).cpu().numpy()
    )
    return array
