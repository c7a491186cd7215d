"""One layer in one direction over time: ONNX's own operator, a `Scan`, or a single step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.equations.graph import Node, X
from sluice.export.layer_graph import LayerGraph
from sluice.export.native import NativeCell, find_native
from sluice.export.to_onnx.builder import OnnxBuilder
from sluice.export.to_onnx.nodes import NodeWriter


@dataclass(frozen=True)
class Marks:
    """Which steps count, as names of values.

    Attributes:
        lengths: ``(batch,)``, int64; None where all steps count.
        valid: The same as truths, ``(time, batch, 1)``.
        resets: Where a sequence starts anew, ``(time, batch, 1)``; None for nowhere. Of a single
            step ``(batch, 1)``.
    """

    lengths: str | None = None
    valid: str | None = None
    resets: str | None = None


def write_marks(builder: OnnxBuilder, x: str, lengths: str | None, resets: str | None) -> Marks:
    """The marks of a call whose input is ``x``, ``(time, batch, input)``."""
    valid = None
    if lengths is not None:
        time = builder.add("Squeeze", builder.dimension(x, 0))
        zero, one = (builder.constant(torch.tensor(number)) for number in (0, 1))
        steps = builder.add("Range", zero, time, one)
        places = builder.add("Unsqueeze", steps, builder.constant([1]))
        below = builder.add("Less", places, lengths)
        valid = builder.add("Unsqueeze", below, builder.constant([2]))
    if resets is not None:
        resets = builder.add("Unsqueeze", resets, builder.constant([2]))
        if valid is not None:
            resets = builder.add("And", resets, valid)
    return Marks(lengths, valid, resets)


def write_over_time(
    builder: OnnxBuilder,
    layer: LayerGraph,
    x: str,
    inputs: Sequence[str],
    states: Sequence[str],
    marks: Marks,
) -> tuple[str, list[str]]:
    """The output ``(time, batch, width)`` and the last states ``(batch, width)``.

    ``x`` and ``inputs``, what the cell reads beside it, are ``(time, batch, width)``.
    """
    if marks.valid is not None:  # padding counts as zeros, as it may be anything
        zero = builder.constant(0.0)
        x, *inputs = (builder.add("Where", marks.valid, one, zero) for one in (x, *inputs))
    native = find_native(layer.graph) if layer.dtype == torch.float32 else None
    if native is not None and marks.resets is None:
        return _write_native(builder, layer, native, x, states, marks)
    return _write_scan(builder, layer, x, inputs, states, marks)


def write_step(
    builder: OnnxBuilder,
    layer: LayerGraph,
    x: str,
    inputs: Sequence[str],
    states: Sequence[str],
    resets: str | None,
) -> tuple[str, list[str]]:
    """The output and the new states of one step, all ``(batch, width)``."""
    states = _restart(builder, layer, states, resets)
    values = dict(zip(_input_leaves(layer), (x, *inputs), strict=True))
    values.update(zip(layer.graph.state_leaves, states, strict=True))
    writer = NodeWriter(builder, layer, values, 2)
    writer.write((*layer.hoisted_groups, *layer.step_groups))
    return _read_results(writer, x)


def _input_leaves(layer: LayerGraph) -> list[Node]:
    return [X, *layer.graph.input_leaves]


def _restart(
    builder: OnnxBuilder, layer: LayerGraph, states: Sequence[str], resets: str | None
) -> list[str]:
    """The states that a step finds: the initial ones where a sequence starts."""
    if resets is None:
        return list(states)
    fresh = map(builder.constant, layer.initial_states)
    return [builder.add("Where", resets, *pair) for pair in zip(fresh, states, strict=True)]


def _read_results(writer: NodeWriter, like: str) -> tuple[str, list[str]]:
    graph = writer.layer.graph
    named = {
        kept.name: writer.get_rows(graph.outputs_by_name[kept.name], like)
        for kept in graph.kept_values
    }
    output = writer.builder.join([named[name] for name in graph.output])
    return output, [named[state.name] for state in graph.states]


def _write_scan(
    builder: OnnxBuilder,
    layer: LayerGraph,
    x: str,
    inputs: Sequence[str],
    states: Sequence[str],
    marks: Marks,
) -> tuple[str, list[str]]:
    hoisted: dict[Node, str] = dict(zip(_input_leaves(layer), (x, *inputs), strict=True))
    NodeWriter(builder, layer, hoisted, 3).write(layer.hoisted_groups)
    read = _find_read_values(layer, hoisted)
    body = OnnxBuilder(layer.dtype, outer=builder)
    flags = [mark for mark in (marks.valid, _shift_resets(builder, layer, marks)) if mark]
    scanned = [hoisted[node] for node in read] + flags
    graph = layer.graph
    kinds = [*(state.width for state in graph.states), *(node.width for node in read)]
    widths = [*map(layer.sizes.of, kinds), *(1 for _ in flags)]
    names = [body.new_name("in") for _ in widths]
    dtypes = [layer.dtype] * len(kinds) + [torch.bool] * len(flags)
    described = [
        body.describe(name, ["batch", width], dtype)
        for name, width, dtype in zip(names, widths, dtypes, strict=True)
    ]
    before, own = names[: len(graph.states)], names[len(graph.states) :]
    own_flags = iter(own[len(read) :])
    valid = next(own_flags) if marks.valid else None
    found = _restart(body, layer, before, next(own_flags, None))
    values = dict(zip(read, own[: len(read)], strict=True))
    values.update(zip(graph.state_leaves, found, strict=True))
    writer = NodeWriter(body, layer, values, 2)
    writer.write(layer.step_groups)
    output, after = _read_results(writer, before[0])
    if valid is not None:
        output = body.add("Where", valid, output, body.constant(0.0))
        pairs = zip(after, found, strict=True)
        after = [body.add("Where", valid, *pair) for pair in pairs]
    results = [body.rename(one, body.new_name("out")) for one in (*after, output)]
    width = sum(map(layer.sizes.of, graph.output_widths))
    sizes = [*widths[: len(after)], width]
    ends = [body.describe(n, ["batch", w]) for n, w in zip(results, sizes, strict=True)]
    backwards = int(layer.is_reverse)
    *last, y = builder.add_several(
        "Scan",
        len(after) + 1,
        *states,
        *scanned,
        body=body.finish(f"{graph.name}_step", described, ends),
        num_scan_inputs=len(scanned),
        scan_input_directions=[backwards] * len(scanned),
        scan_output_directions=[backwards],
    )
    return y, last


def _find_read_values(layer: LayerGraph, hoisted: dict[Node, str]) -> list[Node]:
    """Those computed before the loop that a step reads; the input at least, for the number."""
    graph, inner = layer.graph, [node for group in layer.step_groups for node in group]
    asked = [operand for node in inner for operand in node.operands]
    asked += [graph.outputs_by_name[kept.name] for kept in graph.kept_values]
    return list(dict.fromkeys(node for node in asked if node in hoisted)) or [X]


def _shift_resets(builder: OnnxBuilder, layer: LayerGraph, marks: Marks) -> str | None:
    """The resets before each step in the order of the direction.

    Going backwards, the step before t is t + 1: what lies there ends where t + 1 restarts.
    """
    if marks.resets is None or not layer.is_reverse:
        return marks.resets
    bounds = [builder.constant([number]) for number in (0, 1, torch.iinfo(torch.int64).max)]
    later = builder.add("Slice", marks.resets, bounds[1], bounds[2], bounds[0])
    first = builder.add("Slice", marks.resets, bounds[0], bounds[1], bounds[0])
    never = builder.add("And", first, builder.constant(False))
    return builder.join([later, never], axis=0)


def _write_native(
    builder: OnnxBuilder,
    layer: LayerGraph,
    native: NativeCell,
    x: str,
    states: Sequence[str],
    marks: Marks,
) -> tuple[str, list[str]]:
    axis = builder.constant([0])
    before = [builder.add("Unsqueeze", state, axis) for state in states]
    lengths = ""
    if marks.lengths is not None:
        lengths = builder.add("Cast", marks.lengths, to=6)  # int32
    options = _describe_native(layer, native)
    maps = _write_native_maps(builder, layer, native)
    peepholes = _write_peepholes(builder, layer, native)
    operands = [x, *maps, lengths, *before, *peepholes]
    y, *last = builder.add_several(native.op, 1 + len(before), *operands, **options)
    y = builder.add("Squeeze", y, builder.constant([1]))
    found = [builder.add("Squeeze", one, axis) for one in last]
    if marks.lengths is not None:  # the operator gives zeros where nothing counts
        zero = builder.constant(torch.tensor(0))
        is_empty = builder.add("Equal", marks.lengths, zero)
        column = builder.add("Unsqueeze", is_empty, builder.constant([1]))
        pairs = zip(states, found, strict=True)
        found = [builder.add("Where", column, *pair) for pair in pairs]
    return y, found


def _describe_native(layer: LayerGraph, native: NativeCell) -> dict[str, object]:
    options: dict[str, object] = {
        "hidden_size": layer.sizes.hidden,
        "direction": "reverse" if layer.is_reverse else "forward",
        "activations": [activation.name for activation in native.activations],
    }
    numbers = [activation.numbers for activation in native.activations]
    for place, name in enumerate(("activation_alpha", "activation_beta")):
        found = [own[place] for own in numbers if len(own) > place]
        options |= {name: found} if found else {}
    if native.clip is not None:
        options["clip"] = native.clip
    if native.op == "GRU":
        options["linear_before_reset"] = int(native.resets_after)
    return options


def _write_native_maps(
    builder: OnnxBuilder, layer: LayerGraph, native: NativeCell
) -> tuple[str, str, str]:
    """The operator's W, R and B, gates in its order."""
    axis, biases = builder.constant([0]), list[Tensor]()
    names = []
    of_input = [gate.of_input for gate in native.gates]
    for gates in (of_input, [gate.of_state for gate in native.gates]):
        maps = [layer.read_map(gate) for gate in gates]
        rows = builder.add_rows(torch.cat([w for w, _ in maps]), is_int8=layer.is_int8)
        names.append(builder.add("Unsqueeze", rows, axis))
        biases += [w.new_zeros(len(w)) if b is None else b for w, b in maps]
    return names[0], names[1], builder.constant(torch.cat(biases)[None])


def _write_peepholes(builder: OnnxBuilder, layer: LayerGraph, native: NativeCell) -> list[str]:
    found = [gate.peephole for gate in native.gates if gate.peephole is not None]
    if not found:
        return []
    return [builder.constant(torch.cat([layer.parameters[one.name] for one in found])[None])]
