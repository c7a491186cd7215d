"""Other people's models, opened: converted to layers that can be recorded, and proved the same."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sluice.insight.recording.recorder import record
from sluice.nn.conversion import convert
from sluice.nn.rnn_cells import SingleStepCell
from sluice.nn.stack import RecurrentStack

_PARAMETER = re.compile(r"(?:weight_(?:ih|hh|hr)|bias_(?:ih|hh))_l(\d+)(_reverse)?")
_BY_GATES: dict[int, type[nn.RNN | nn.GRU | nn.LSTM]] = {1: nn.RNN, 3: nn.GRU, 4: nn.LSTM}


@dataclass(frozen=True)
class ConversionReport:
    """A model to record, and how near it is to the one that it was made from.

    ``str()`` of it is a sentence: ``converted 2 layers; outputs differ by at most 3e-07``.

    Attributes:
        model: The model, its recurrent layers ours, everything else a copy.
        layers: How many recurrent layers were converted, those of a stack counted one by one.
        difference: The largest absolute difference of any output, while being recorded, from the
            original's.
    """

    model: nn.Module
    layers: int
    difference: float

    def __str__(self) -> str:
        plural = "s" * (self.layers != 1)
        return (
            f"converted {self.layers} layer{plural}; "
            f"outputs differ by at most {self.difference:.1g}"
        )


def from_torch(
    model: nn.Module, *inputs: object, tolerance: float = 1e-5, **options: object
) -> ConversionReport:
    """Open a model of `torch.nn` layers: convert a copy of it, and compare the outputs of both.

    Both are run in evaluation mode and without gradients, the converted one while it is recorded,
    so that what is compared is what a tape would show. ``model`` is left as it is.

    Args:
        model: The model, or a recurrent layer.
        inputs: Arguments to call it with; a single layer needs none: a random one is drawn.
        tolerance: The largest difference allowed, for each tensor of the output relative to the
            largest number in it, or to 1 where that is smaller.
        options: Further arguments of the call, by name.

    Returns:
        A `ConversionReport`; its ``model`` is in the mode, training or evaluation, in which
        ``model`` is.

    Raises:
        ValueError: no layer could be converted, no input was given, or the outputs differ in
            shape, by a NaN, or by more than the tolerance.

    Example:
        >>> import torch, sluice
        >>> opened = sluice.insight.from_torch(torch.nn.LSTM(3, 8, num_layers=2))
        >>> opened.layers, opened.difference < 1e-5
        (2, True)
        >>> with sluice.record(opened.model) as tape:
        ...     y, _ = opened.model(torch.randn(5, 2, 3))
        >>> tape.layer(1).forget.shape
        torch.Size([5, 2, 8])
    """
    original, ours = copy.deepcopy(model).eval(), convert(copy.deepcopy(model))
    layers = _count_converted(original, ours)
    if not layers:
        raise ValueError(
            f"{type(model).__name__} holds no recurrent layer of torch.nn to convert and record; "
            "subclasses of them stay as they are"
        )
    given = inputs or (() if options else (_draw_input(model),))
    modes = [(module, module.training) for module in ours.modules()]
    ours.eval()
    with torch.no_grad():
        expected = list(_iterate_tensors(original(*given, **options)))
        with record(ours):
            found = list(_iterate_tensors(ours(*given, **options)))
    for module, training in modes:
        module.training = training
    return ConversionReport(ours, layers, _compute_difference(found, expected, tolerance))


def from_state_dict(
    state: Mapping[str, Tensor],
    *,
    nonlinearity: str = "tanh",
    batch_first: bool = False,
    tolerance: float = 1e-5,
) -> ConversionReport:
    """Open the state dictionary of a single `torch.nn.LSTM`, ``GRU`` or ``RNN``.

    Names and shapes give the kind, sizes, layers, directions, projection and biases; they do not
    give ``nonlinearity`` and ``batch_first``.

    Args:
        state: The dictionary; all names may begin alike, as in ``encoder.weight_ih_l0``.
        nonlinearity: Of an ``RNN``, ``"tanh"`` or ``"relu"``.
        batch_first: The layout of the model's input.
        tolerance: As for `from_torch`, which compares with torch's own layer.

    Returns:
        A `ConversionReport`, its ``model`` a layer of `sluice.nn` in training mode.

    Raises:
        ValueError: names or shapes that no such layer has, or as `from_torch`.

    Example:
        >>> import torch, sluice
        >>> state = torch.nn.GRU(3, 8, bidirectional=True, bias=False).state_dict()
        >>> sluice.insight.from_state_dict(state).model
        GRU(3, 8, bias=False, bidirectional=True)
    """
    own = _strip_prefix(state)
    layer = _build_layer(own, nonlinearity, batch_first)
    shapes = {name: tuple(parameter.shape) for name, parameter in layer.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in own.items()}
    for name in sorted(shapes.keys() | given.keys()):
        if shapes.get(name) != given.get(name):
            raise ValueError(
                f"{name} must have {_format_shape(shapes.get(name))} for a "
                f"{type(layer).__name__} of these sizes, got {_format_shape(given.get(name))}"
            )
    layer.load_state_dict(own, assign=True)
    return from_torch(layer, tolerance=tolerance)


def _format_shape(shape: tuple[int, ...] | None) -> str:
    return "none" if shape is None else f"shape {shape}"


def _strip_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters without what all their names begin with."""
    first = next((name for name in state if name.endswith("weight_ih_l0")), None)
    if first is None:
        raise ValueError(
            "the state dict must be that of one LSTM, GRU or RNN, with a name that ends in "
            f"weight_ih_l0, got {', '.join(list(state)[:4]) or 'an empty one'}"
        )
    prefix = first.removesuffix("weight_ih_l0")
    own = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    strange = [name for name in own if not _PARAMETER.fullmatch(name)]
    if strange:
        raise ValueError(
            f"'{strange[0]}' is not a parameter of a recurrent layer; give the part of the "
            "state dict that belongs to one layer"
        )
    return own


def _build_layer(own: Mapping[str, Tensor], nonlinearity: str, batch_first: bool) -> nn.RNNBase:
    """torch's layer of that kind and size, its parameters without memory."""
    rows, width = own["weight_ih_l0"].shape
    recurrent = own.get("weight_hh_l0", own["weight_ih_l0"]).shape[1]
    projection = own.get("weight_hr_l0")
    hidden = recurrent if projection is None else projection.shape[1]
    kind = _BY_GATES.get(rows // hidden) if rows % hidden == 0 else None
    if kind is None:
        raise ValueError(
            f"weight_ih_l0 must have 1 row per unit (RNN), 3 (GRU) or 4 (LSTM), got {rows} "
            f"rows for {hidden} units"
        )
    places = [match for name in own if (match := _PARAMETER.fullmatch(name))]
    options: dict[str, int | bool | str] = {
        "num_layers": 1 + max(int(place[1]) for place in places),
        "bidirectional": any(place[2] for place in places),
        "bias": "bias_ih_l0" in own,
        "batch_first": batch_first,
    }
    if projection is not None:
        options["proj_size"] = projection.shape[0]
    if kind is nn.RNN:
        options["nonlinearity"] = nonlinearity
    layer: nn.RNNBase = kind(
        width, hidden, device="meta", dtype=own["weight_ih_l0"].dtype, **options
    )
    return layer


def _count_converted(original: nn.Module, ours: nn.Module) -> int:
    pairs = zip(original.modules(), ours.modules(), strict=True)
    changed = (
        b
        for a, b in pairs
        if type(a) is not type(b) and isinstance(b, RecurrentStack | SingleStepCell)
    )
    return sum(layer.num_layers for layer in changed)


def _draw_input(model: nn.Module) -> Tensor:
    """An input for a single layer; torch's global generator is not used."""
    if not isinstance(model, nn.RNNBase | nn.RNNCellBase):
        raise ValueError(f"{type(model).__name__} needs an input to be compared on; give one")
    like = next(model.parameters())
    shape = (20, 3) if isinstance(model, nn.RNNBase) else (3,)
    drawn = torch.randn(*shape, model.input_size, generator=torch.Generator().manual_seed(0))
    return drawn.to(like)


def _iterate_tensors(output: object) -> Iterator[Tensor]:
    """Every tensor of an output, whatever tuples, lists and dictionaries it is wrapped in."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        yield from _iterate_tensors(tuple(output.values()))
    elif isinstance(output, tuple | list):
        for part in output:
            yield from _iterate_tensors(part)


def _compute_difference(found: list[Tensor], expected: list[Tensor], tolerance: float) -> float:
    shapes = [[tuple(tensor.shape) for tensor in side] for side in (found, expected)]
    if shapes[0] != shapes[1] or not expected:
        raise ValueError(f"the outputs must have the shapes {shapes[1]}, got {shapes[0]}")
    worst = 0.0
    for ours, theirs in zip(found, expected, strict=True):
        if not theirs.numel():
            continue
        apart = float((ours.double() - theirs.double()).abs().max())
        scale = max(1.0, float(theirs.double().abs().max()))
        if not apart <= tolerance * scale:
            raise ValueError(
                f"outputs differ by {apart:.1g}, which is above the tolerance of "
                f"{tolerance * scale:.1g}; the converted model is not the same"
            )
        worst = max(worst, apart)
    return worst
