"""A language model's weights, packed once for all that is generated from them."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import torch
from torch import Tensor

from sluice.locks import ForkSafeLock
from sluice.run.kernels import extension
from sluice.run.recording import recorders
from sluice.sequence.batch import ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.engine import Engine, expand_rows
from sluice.sequence.generation.kernel_engine import KernelWeights
from sluice.sequence.generation.reference_engine import ReferenceWeights
from sluice.sequence.models import LanguageModel
from sluice.sequence.vocabulary import START

_lock = ForkSafeLock()
_calls: weakref.WeakKeyDictionary[LanguageModel, weakref.ref[_LoneCall]] = (
    weakref.WeakKeyDictionary()
)
"""The call that packs for itself alone, while it goes on."""
_live: weakref.WeakKeyDictionary[LanguageModel, weakref.ref[PackedLanguageModel]] = (
    weakref.WeakKeyDictionary()
)


class PackedLanguageModel:
    """The weights of a model as they are now, packed for the kernels.

    While this object lives, `generate`, `stream_tokens`, `beam_search` and `ContinuousBatch` of the
    same model read its weights in place of packing their own, in any thread, unless the model's
    have changed since: they are compared at every call. Without kernels it holds a copy of the
    model in float64.

    Args:
        model: whose weights are packed.
        may_change: False where nobody changes its weights while this object lives; that spares the
            copy by which changes are noticed.

    Raises:
        SequenceError: a bidirectional model.

    >>> from sluice.sequence import LanguageModelConfig, generate
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=9, hidden_size=8))
    >>> packed = PackedLanguageModel(model)
    >>> drawn = [generate(model, [seed]) for seed in range(3)]      # nothing is packed again
    """

    def __init__(self, model: LanguageModel, *, may_change: bool = True) -> None:
        self.vocabulary_size = model.config.vocabulary_size
        self._settings, tensors = _get_settings(model), _list_tensors(model)
        self._tensors = [
            tensor.detach().clone() if may_change else tensor.detach() for tensor in tensors
        ]
        self._weights = _pack(model, copies_embedding=True)
        with _lock.hold():
            _live[model] = weakref.ref(self)

    @property
    def initial_states(self) -> ModelState:
        """The states of a sequence before its first token."""
        return self._weights.initial_states

    def make_engine(self) -> Engine:
        """An engine of one sequence in the initial state, which keeps this object alive."""
        return self._weights.make_engine(owner=self)

    def is_current(self, model: LanguageModel) -> bool:
        """Whether the model's weights and precision are those that are packed."""
        tensors = _list_tensors(model)
        return (
            self._settings == _get_settings(model)
            and len(self._tensors) == len(tensors)
            and all(map(_equals, self._tensors, tensors))
        )


def share_weights(model: LanguageModel) -> PackedLanguageModel:
    """What holds the model's weights as they are now; a new one where none lives."""
    found = _find_live(model)
    if found is not None and found.is_current(model):
        return found
    with _lock.hold():  # so that of many threads one packs
        other = _find_live(model)
        if other is not None and other is not found and other.is_current(model):
            return other
        return PackedLanguageModel(model)


def start_engine(
    model: LanguageModel, batch: int, prefix: Sequence[int], *, shares_weights: bool = False
) -> tuple[Engine, Tensor]:
    """An engine that has read `START` and the ids of `prefix`, except the last of these.

    The last one is returned, (batch,), to be read next. The engine uses the current weights; it
    runs on the kernels if there are any, else on a copy of the model in float64.
    `shares_weights`: others that begin while this engine lives share its packed weights. Of several
    calls at once all but the first do so anyway; one alone is spared the copy for comparisons.
    """
    refuse_recording(model)
    lone_call = None if shares_weights else _begin_alone(model)
    before = torch.tensor([START, *prefix])
    with torch.inference_mode():
        if lone_call is None:
            engine = share_weights(model).make_engine()
        else:
            engine = _pack(model, copies_embedding=False).make_engine(owner=lone_call)
        if len(before) > 1:
            # All sequences have the same prefix, so one reads it for all.
            engine.feed(before[:-1, None])
        if batch > 1:
            engine.write(expand_rows(engine.read(), batch))
    return engine, before[-1:].repeat(batch)


def refuse_recording(model: LanguageModel) -> None:
    """Raise SequenceError where `sluice.record` expects to hear of the model's layers."""
    if recorders.is_any_active() and recorders.find_recorders(model.layers):
        raise SequenceError(
            "sluice.record hears calls of a model, not what generates from its packed weights; "
            "generate outside the block, and record the finished tokens with "
            "sluice.sequence.record_generation(model, ids)."
        )


class _LoneCall:
    """Lives as long as the engine of a call that shares no weights."""


def _begin_alone(model: LanguageModel) -> _LoneCall | None:
    """What such a call holds; None where something generates from the model already."""
    with _lock.hold():
        other = _calls.get(model)
        if _find_live(model) is not None or (other is not None and other() is not None):
            return None
        call = _LoneCall()
        _calls[model] = weakref.ref(call)
        return call


def _find_live(model: LanguageModel) -> PackedLanguageModel | None:
    with _lock.hold():
        reference = _live.get(model)
    return None if reference is None else reference()


def _pack(model: LanguageModel, copies_embedding: bool) -> KernelWeights | ReferenceWeights:
    layers = model.layers
    if layers.directions > 1:
        raise SequenceError(
            "A bidirectional model needs the whole sequence, so it cannot generate; train one with "
            "bidirectional=False."
        )
    if layers.resolved_backend.has_step_kernels and layers.readout is None:
        return KernelWeights(model, copies_embedding)
    return ReferenceWeights(model)


def _get_settings(model: LanguageModel) -> tuple[object, ...]:
    layers = model.layers
    return layers.cell.graph, layers.precision, layers.resolved_backend.name, extension.get_isa()


def _list_tensors(model: LanguageModel) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _equals(own: Tensor, given: Tensor) -> bool:
    is_alike = own.dtype == given.dtype and own.device == given.device
    return is_alike and torch.equal(own, given.detach())
