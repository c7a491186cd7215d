"""Recordings: every named value of every recurrent layer, and its derivative, at every step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch
from torch import Tensor, nn

from sluice.files import StrPath, write_atomically
from sluice.insight.recording.memory_estimate import estimate_bytes, require_memory
from sluice.insight.recording.recorded import FloatArray, to_numpy
from sluice.insight.recording.recorded import RecordedLayer as RecordedLayer
from sluice.insight.recording.recorded import RecordedModule as RecordedModule
from sluice.insight.recording.selection import Selection
from sluice.insight.recording.storage import RecordingFolder
from sluice.insight.recording.to_xarray import build_data_tree
from sluice.nn.rnn_cells import SingleStepCell
from sluice.nn.stack import RecurrentStack
from sluice.nn.stream import Stream
from sluice.run.recording import recorders
from sluice.run.recording.record_spec import RecordSpec
from sluice.run.recording.recorded_calls import RecordedCalls
from sluice.run.recording.recorded_pass import Recording
from sluice.run.recording.recorded_stream import StreamRecording
from sluice.run.recording.sinks import ValueReader
from sluice.run.spec import RunSpec

if TYPE_CHECKING:
    import xarray


class Tape:
    """What `record` returns: the recurrent modules of a model by their names in it.

    ``tape["encoder"]`` is the module that the model calls ``encoder``, ``tape[""]`` the model
    itself if it is a recurrent layer. If there is only one module, its values are attributes of
    the tape: ``tape.forget``, ``tape.gradient.forget``, ``tape.layer(1).forget``.

    Only the last call of each module is kept, or the steps of the last stream; a call that starts
    from the states that the call before returned continues it in time. After the ``with``
    block no call is recorded, but a ``backward()`` through a recorded call still records its
    derivatives. A tape may be entered again, and tapes may be nested.
    """

    def __init__(
        self, model: nn.Module | Stream, selection: Selection, folder: RecordingFolder | None
    ) -> None:
        self._modules: dict[str, RecordedModule] = {}
        self._by_module: dict[object, RecordedModule] = {}
        self._folder = folder
        for name, module in _iterate_modules(model):
            layer = module.layer if isinstance(module, Stream) else module
            if isinstance(layer, RecurrentStack | SingleStepCell):
                found = self._by_module.setdefault(module, RecordedModule(name, layer))
                self._modules[name] = found
        if not self._modules:
            raise ValueError(
                f"{type(model).__name__} holds no recurrent layer of sluice.nn to record; "
                "sluice.nn.convert(model) makes its torch layers ours"
            )
        wanted = selection.resolve({n: one._module for n, one in self._modules.items()})
        self._specs = {(self._modules[n]._name, place): w for (n, place), w in wanted.items()}
        chosen = {name for name, _ in self._specs}
        self._by_module = {m: one for m, one in self._by_module.items() if one._name in chosen}
        self._modules = {n: one for n, one in self._modules.items() if one._name in chosen}

    def __enter__(self) -> Tape:
        if recorders.is_active(self):
            raise RuntimeError("this tape is recording already; call sluice.record for another")
        if self._folder is not None:
            self._folder.begin()
        recorders.start(self)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        recorders.stop(self)
        if self._folder is not None and kind is None:
            self._folder.finish()
        elif self._folder is not None:
            self._folder.abandon()

    def matches(self, layer: object) -> bool:
        """Whether ``layer`` is one of the model's. Called by layers."""
        return layer in self._by_module

    def spec_for(self, layer: object, place: int) -> RecordSpec | None:
        """What to record of a layer and direction. Called by layers."""
        return self._specs.get((self._by_module[layer]._name, place))

    def on_pass(self, layer: object, place: int, recording: Recording, spec: RunSpec) -> None:
        """A pass begins. Called by layers. Raises MemoryError if there is too little memory."""
        module = self._by_module[layer]
        kept, log = module._recordings, module._log
        if log.is_new:
            self._require_memory(module, spec)
            log.is_new = False
        calls = kept.get(place)
        if not isinstance(calls, RecordedCalls):
            calls = kept[place] = RecordedCalls(log.earlier)
        if self._folder is not None:
            label = module._file_label(place)
            if not len(calls):
                self._folder.discard(label)
            recording.store_in(self._folder.build_store(label, calls.rows))
        is_attached = any(state.grad_fn is not None for state in spec.states)
        calls.append(recording, is_attached)

    def on_call(self, layer: object, states: Sequence[Tensor] | None, goes_forward: bool) -> None:
        """A call begins. Called by layers."""
        module = self._by_module[layer]
        kept, log = module._recordings, module._log
        goes_on = log.begin(module._module.cell, states, goes_forward)
        for source in list(kept.values()):
            if goes_on and isinstance(source, RecordedCalls):
                source.drop_after(log.count)
            else:
                kept.clear()

    def on_refusal(self) -> None:
        """A compiled call was refused: what the tape has is not of the last call."""
        for module in self._by_module.values():
            module._recordings.clear()
            module._log.forget()

    def on_return(self, layer: object, states: Sequence[Tensor]) -> None:
        """A call has returned. Called by layers."""
        module = self._by_module[layer]
        module._log.finish(module._module.cell, states)

    def on_stream_step(
        self,
        layer: object,
        place: int,
        stream: object,
        spec: RunSpec,
        backend: str,
        read: ValueReader,
    ) -> None:
        """A stream has run a step. Called by streams."""
        if self._folder is not None:
            raise RuntimeError(
                "a stream cannot be recorded to a folder, since its end is not known; leave out "
                "to=, and save() the tape"
            )
        kept, want = self._by_module[layer]._recordings, self._specs[self._key(layer, place)]
        found = kept.get(place)
        if not isinstance(found, StreamRecording) or found.stream is not stream:
            if place in kept:
                kept.clear()
            self._by_module[layer]._log.forget()
            found = kept[place] = StreamRecording(stream, spec.graph, want)
        found.on_forward(backend, read, needs_grad=False)

    def _key(self, layer: object, place: int) -> tuple[str, int]:
        return self._by_module[layer]._name, place

    def _require_memory(self, module: RecordedModule, spec: RunSpec) -> None:
        steps, batch = spec.x.shape[:2]
        needed = self._estimate_bytes(module, steps, batch, spec.needs_grad, spec.x.element_size())
        where = None if self._folder is None else self._folder.path
        require_memory(needed, spec.x.device, where)

    def _estimate_bytes(
        self, module: RecordedModule, steps: int, batch: int, gradients: bool, item_size: int
    ) -> int:
        layer, total = module._module, 0
        for (name, place), want in self._specs.items():
            if name == module._name:
                sizes = layer.sizes[place // layer.directions]
                total += estimate_bytes(want, layer.cell.graph, sizes, steps, batch, item_size)
        return total * (1 + gradients)

    def estimate_bytes(self, steps: int, batch: int = 1, gradients: bool = True) -> int:
        """The size in bytes of a recording of ``steps`` steps of ``batch`` sequences.

        It is that of all its values and, with ``gradients``, of their derivatives, if each module
        is called once with such an input.

        Example:
            >>> import sluice
            >>> tape = sluice.record(sluice.nn.LSTM(3, 8))
            >>> tape.estimate_bytes(steps=1000, batch=2, gradients=False)
            384000
        """
        total = 0
        for module in self._by_module.values():
            item = module._module.get_layer_parameters(0)[0].element_size()
            total += self._estimate_bytes(module, steps, batch, gradients, item)
        return total

    def __getitem__(self, name: str) -> RecordedModule:
        """The module called ``name``. Raises KeyError where the model has none."""
        if name not in self._modules:
            raise KeyError(
                f"the model has no recurrent layer '{name}'; its layers are {self._names()}"
            )
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

        Raises RuntimeError if a module has recorded nothing.
        """
        found: dict[str, Tensor] = {}
        for module in self._by_module.values():
            for place in module.layers.values():
                prefix = place._label
                found |= {f"{prefix}.{name}": value for name, value in place.items()}
                if place.has_gradient:
                    pairs = place.gradient.items()
                    found |= {f"{prefix}.gradient.{name}": value for name, value in pairs}
        return found

    def numpy(self) -> dict[str, FloatArray]:
        """`tensors` as NumPy arrays (bfloat16, which NumPy lacks, as float32)."""
        return {name: to_numpy(tensor) for name, tensor in self.tensors().items()}

    def xarray(self) -> xarray.DataTree:
        """All of it with named dimensions, ``tape.xarray()["encoder/l0"].forget``.

        Dimensions are ``time``, ``batch`` and ``unit``, or ``projection`` for a projected state;
        derivatives are in ``encoder/l0/gradient``.

        Raises MissingExtra where xarray, the extra of that name, is not installed, RuntimeError
        where a module has recorded nothing.
        """
        return build_data_tree(self._modules)

    def save(self, path: StrPath) -> None:
        """Write `tensors` as one safetensors file, whole or not at all.

        Raises RuntimeError where a module has recorded nothing, OSError where the file cannot be
        written.
        """
        tensors = {name: tensor.contiguous() for name, tensor in self.tensors().items()}
        metadata = {"format": "sluice recording", "layout": "time, batch, width"}
        write_atomically(path, safetensors.torch.save(tensors, metadata))


def record(
    model: nn.Module | Stream,
    *,
    layers: Iterable[str] | None = None,
    names: Iterable[str] | None = None,
    pre: bool = False,
    maps: bool = False,
    every: int = 1,
    to: StrPath | None = None,
) -> Tape:
    """Record every named value of the recurrent layers of ``model`` inside a ``with`` block.

    The names are the keys that a cell's ``step`` returns: states, gates, candidate. Values are
    tensors ``(time, batch, width)``, whatever the layout of the input, the batch in the caller's
    order, zero where a sequence has ended. After ``backward()`` the total derivative of the loss
    with respect to each is there too, by the same names.

    Outputs are bit for bit those of a run that is not recorded, on the kernels and on the
    reference; what would run on torch's own layer, which shows no gates, runs on the reference.
    The block reaches its own thread, calls of layers and one-step cells, and steps of streams. A
    call that starts from the numbers that the call before returned continues it in time, so that a
    loop over steps is one sequence. Inside it a layer refuses, with a RuntimeError, to run under
    torch.compile, torch.export, torch.jit.trace or a ``torch.func`` transform, as do programs
    compiled or exported before; the tape is then empty. A call whose recording would not fit in the
    memory that is free raises MemoryError before it is run.

    Args:
        model: The model, a recurrent layer, or a stream: ``layer.stream()``.
        layers: Which modules, by their names in the model, or which of their layers and
            directions, as ``"encoder.l1_reverse"`` (``"l0"`` where the model is the layer).
        names: Which values, ``["forget", "c", "pre.forget"]``; a layer keeps those it has.
        pre: Whether to keep the gates' pre-activations too, what enters their σ or tanh, as
            ``tape["encoder"].pre.forget``.
        maps: Whether to keep the result and the operand of every learned map too, which
            `sluice.insight.step_weight_gradients` reads.
        every: Keep of each ``every`` steps the first: steps 0, k, 2k, …
        to: A folder to be made: values go there, memory-mapped, in place of memory. Until the
            block ends it is called ``to`` + ``.incomplete``.

    Returns:
        A `Tape`, to be entered by ``with``.

    Raises:
        ValueError: ``model`` holds no recurrent layer or cell of `sluice.nn`, or a compiled one; a
            name in ``layers`` or ``names`` that there is not; ``every`` below 1.
        FileExistsError: there is something at ``to``, or at ``to`` + ``.incomplete``.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(3, 8)
        >>> with sluice.record(layer, pre=True) as tape:
        ...     y, _ = layer(torch.randn(5, 2, 3))
        ...     y.sum().backward()
        >>> tape.forget.shape, tape.gradient.forget.shape
        (torch.Size([5, 2, 8]), torch.Size([5, 2, 8]))
        >>> bool((tape.pre.forget.sigmoid() - tape.forget).abs().max() < 1e-6)
        True
    """
    selection = Selection(layers, names, pre, maps, every)
    return Tape(model, selection, None if to is None else RecordingFolder(to))


def select_layer(
    source: Tape | RecordedModule | RecordedLayer,
    module: str | None = None,
    layer: int = 0,
    reverse: bool = False,
) -> RecordedLayer:
    """One layer in one direction of what was recorded, or of a part of it.

    Raises KeyError where the model has no module ``layer``, ValueError where there are several and
    none is named, IndexError and RuntimeError as `RecordedModule.layer`.
    """
    if isinstance(source, RecordedLayer):
        return source
    if isinstance(source, RecordedModule):
        return source.layer(layer, reverse)
    if module is None and len(source) > 1:
        raise ValueError(
            f"the model has several recurrent layers; choose one of {', '.join(source)}"
        )
    return source[next(iter(source)) if module is None else module].layer(layer, reverse)


def _iterate_modules(model: nn.Module | Stream) -> Iterator[tuple[str, nn.Module | Stream]]:
    if isinstance(model, Stream):
        yield "", model
        return
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a module or a stream, got {type(model).__name__}")
    for name, module in model.named_modules(remove_duplicate=False):
        if hasattr(module, "_orig_mod") or module._compiled_call_impl is not None:
            raise ValueError(f"'{name}' is compiled; record the plain model instead")
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(f"'{name}' is traced or scripted; record the plain model instead")
        yield name, module
