"""A layer or a language model as a C header and a C file."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sluice._version import __version__
from sluice.export.errors import ExportError
from sluice.export.layer_graph import split_layer
from sluice.export.to_c.operations import FUNCTIONS, list_functions
from sluice.export.to_c.step import CSource, StepWriter, list_leaves, write_number
from sluice.nn.readout import Readout
from sluice.nn.stack import RecurrentStack
from sluice.sequence.compression import scale_rows
from sluice.sequence.models import LanguageModel

FLAGS = "-std=c99 -O2 -ftree-vectorize -ffp-contract=off"

_HELPERS = {
    "map": """\
static void map(float *restrict out, const float *restrict w, const float *restrict b,
                const float *restrict x, int rows, int columns)
{
    int r, c;
    for (r = 0; r < rows; r++) out[r] = b ? b[r] : 0.0f;
    for (c = 0; c < columns; c++)
        for (r = 0; r < rows; r++) out[r] = out[r] + w[c * rows + r] * x[c];
}
""",
    "map_int8": """\
static void map_int8(float *restrict out, const int8_t *restrict w, const float *restrict scale,
                     const float *restrict b, const float *restrict x, int rows, int columns)
{
    int r, c;
    for (r = 0; r < rows; r++) out[r] = 0.0f;
    for (c = 0; c < columns; c++)
        for (r = 0; r < rows; r++) out[r] = out[r] + (float)w[c * rows + r] * x[c];
    for (r = 0; r < rows; r++) out[r] = out[r] * scale[r] + (b ? b[r] : 0.0f);
}
""",
    "norm": """\
static void norm(float *restrict out, const float *restrict x, const float *restrict w,
                 const float *restrict b, float epsilon, int count)
{
    float mean = 0.0f, variance = 0.0f;
    int i;
    for (i = 0; i < count; i++) mean = mean + x[i];
    mean = mean / (float)count;
    for (i = 0; i < count; i++) variance = variance + (x[i] - mean) * (x[i] - mean);
    variance = sqrtf(variance / (float)count + epsilon);
    for (i = 0; i < count; i++) out[i] = (x[i] - mean) / variance * w[i] + b[i];
}
""",
    "sum": """\
static float sum(const float *x, int count, int stride)
{
    float found = 0.0f;
    int i;
    for (i = 0; i < count; i++) found = found + x[i * stride];
    return found;
}
""",
    "greatest": """\
static float greatest(const float *x, int count)
{
    float found = x[0];
    int i;
    for (i = 1; i < count; i++) found = x[i] > found ? x[i] : found;
    return found;
}
""",
    "copy": """\
static void copy(float *out, const float *x, int count)
{
    int i;
    for (i = 0; i < count; i++) out[i] = x[i];
}
""",
}
_ACTIVATIONS = {"sigmoid": "own_sigmoid({0})", "tanh": "own_tanh({0})"}
_ACTIVATIONS |= {"relu": "({0} > 0.0f ? {0} : 0.0f)"}


@dataclass(frozen=True)
class CProgram:
    """The text of the two files, and what they need: bytes of constants and of a state."""

    header: str
    body: str
    constant_bytes: int
    state_bytes: int
    input_size: int
    output_size: int
    inputs: dict[str, int]


class ProgramWriter:
    """Writes a stack of layers, with an embedding and a readout where a model has them."""

    def __init__(self, module: RecurrentStack | LanguageModel, name: str, int8: bool) -> None:
        self._name, self._int8, self._module = name, int8, module
        self._layer = module if isinstance(module, RecurrentStack) else module.layers
        if self._layer.bidirectional or self._layer.reverse:
            raise ExportError("C runs one step at a time; a layer that reads from the end cannot")
        self._graphs = split_layer(self._layer, int8=int8)
        if self._graphs[0].dtype != torch.float32:
            raise ExportError("C is written in float32; call .float() first")
        self._source = CSource()
        cell = self._layer.cell.graph
        for own in [one.name for one in cell.states] + [one.name for one in cell.inputs]:
            if not own.isascii():
                raise ExportError(f"C has no name {own!r}; rename it in letters of ASCII")
        specs = self._layer.cell.graph.inputs
        self._inputs = {one.name: self._graphs[0].sizes.of(one.width) for one in specs}

    def write(self) -> CProgram:
        """The whole program."""
        source, name = self._source, self._name
        x, width = self._write_input()
        for number, graph in enumerate(self._graphs):
            named = [f"input_{one}" for one in self._inputs]
            leaves = list_leaves(graph, x, named, f"state->l{number}_")
            found = StepWriter(source, graph, leaves).write()
            widths = [graph.sizes.of(one) for one in graph.graph.output_widths]
            width, x = sum(widths), found[graph.graph.output[0]]
            if len(widths) > 1:
                x, start = source.declare(width), 0
                for one, own in zip(graph.graph.output, widths, strict=True):
                    source.add(f"copy({x} + {start}, {found[one]}, {own});")
                    start += own
            for state in graph.graph.states:
                count = graph.sizes.of(state.width)
                into = f"state->l{number}_{state.name}"
                if found[state.name] != into:
                    y = source.declare(count)
                    source.add(f"copy({y}, {found[state.name]}, {count});")
                    found[state.name] = y
            for state in graph.graph.states:
                count = graph.sizes.of(state.width)
                into = f"state->l{number}_{state.name}"
                if found[state.name] != into:
                    source.add(f"copy({into}, {found[state.name]}, {count});")
        width = self._write_readout(x, width)
        return self._assemble(name, width)

    def _write_input(self) -> tuple[str, int]:
        """The array that the first layer reads."""
        model, source = self._module, self._source
        if isinstance(model, RecurrentStack):
            return "input", model.input_size
        table = model.embedding.weight.detach().cpu()
        width = table.shape[1]
        x = source.declare(width)
        row = f"token * {width} + i"
        if self._int8:
            rows, scales = scale_rows(table)
            value = f"(float){source.array(rows)}[{row}] * {source.array(scales)}[token]"
        else:
            value = f"{source.array(table)}[{row}]"
        source.add(f"for (i = 0; i < {width}; i++) {x}[i] = {value};")
        return x, width

    def _write_readout(self, x: str, width: int) -> int:
        module, source = self._module, self._source
        activation = "identity"
        weight: Tensor | None = None
        bias: Tensor | None = None
        if isinstance(module, LanguageModel):
            weight = module.embedding.weight if module.config.tied else module.readout.weight
            weight, bias = weight.detach(), module.readout.bias
        elif isinstance(module.readout, Readout):
            activation = module.readout.activation
            if isinstance(module.readout.map, nn.Linear):
                weight, bias = module.readout.map.weight.detach(), module.readout.map.bias
        if weight is None:
            source.add(f"copy(output, {x}, {width});")
        else:
            width = len(weight)
            own = None if bias is None else bias.detach().cpu()
            source.add_map("output", weight.cpu(), own, x, self._int8)
        if activation in _ACTIVATIONS:
            made = _ACTIVATIONS[activation].format("output[i]")
            source.add(f"for (i = 0; i < {width}; i++) output[i] = {made};")
        if activation == "softmax":
            top, total = source.new_name("a"), source.new_name("a")
            source.add("{")
            source.add(f"    const float {top} = greatest(output, {width});")
            source.add(f"    float {total};")
            source.add(f"    for (i = 0; i < {width}; i++) output[i] = own_exp(output[i] - {top});")
            source.add(f"    {total} = sum(output, {width}, 1);")
            source.add(f"    for (i = 0; i < {width}; i++) output[i] = output[i] / {total};")
            source.add("}")
        return width

    def _list_fields(self) -> list[tuple[str, int, Tensor]]:
        return [
            (f"l{number}_{state.name}", graph.sizes.of(state.width), initial)
            for number, graph in enumerate(self._graphs)
            for state, initial in zip(graph.graph.states, graph.initial_states, strict=True)
        ]

    def _assemble(self, name: str, width: int) -> CProgram:
        fields, source = self._list_fields(), self._source
        resets = []
        for field, count, initial in fields:
            if bool((initial == initial[0]).all()):
                value = f"{write_number(float(initial[0]))}"
            else:
                value = f"{source.array(initial)}[i]"
            resets.append(f"    for (i = 0; i < {count}; i++) state->{field}[i] = {value};")
        state_bytes = 4 * sum(count for _, count, _ in fields)
        model = self._module
        is_model = isinstance(model, LanguageModel)
        size = self._layer.input_size
        if isinstance(model, LanguageModel):
            size = model.config.vocabulary_size
        first = "int token" if is_model else "const float *input"
        beside = "".join(f", const float *input_{one}" for one in self._inputs)
        step = f"void {name}_step({name}_state *state, {first}{beside}, float *output)"
        guard = f"{name.upper()}_H"
        members = "\n".join(f"    float {field}[{count}];" for field, count, _ in fields)
        header = _HEADER.format(
            version=__version__, name=name, upper=name.upper(), guard=guard, members=members,
            step=step, flags=FLAGS, size=size, width=width, constants=source.constant_bytes,
            state=state_bytes, cell=self._layer.cell.name,
        )  # fmt: skip
        text = "\n".join(source.lines)
        helpers = [one for key, one in _HELPERS.items() if f"{key}(" in text]
        own = [FUNCTIONS[one] for one in list_functions(text)]
        body = _BODY.format(
            name=name, functions="\n".join([*own, *helpers]),
            constants="\n".join(source.constants), resets="\n".join(resets), step=step,
            lines=text,
        )  # fmt: skip
        return CProgram(header, body, source.constant_bytes, state_bytes, size, width, self._inputs)


_HEADER = """\
/* {name}: a network of {cell}, written by sluice {version}. C99, no heap.

   {name}_state s;
   {name}_reset(&s);             before every sequence
   {name}_step(&s, ..., output); for every step

   Constants: {constants} bytes; state: {state} bytes.
   Compile with: {flags}
   -O3 in place of -O2 is slower with some versions of gcc; -ffast-math is refused. */
#ifndef {guard}
#define {guard}

#define {upper}_INPUT_SIZE {size}
#define {upper}_OUTPUT_SIZE {width}

#ifdef __cplusplus
extern "C" {{
#endif

typedef struct {{
{members}
}} {name}_state;

void {name}_reset({name}_state *state);
{step};

#ifdef __cplusplus
}}
#endif
#endif
"""

_BODY = """\
#include "{name}.h"

#include <float.h>
#include <math.h>
#include <stdint.h>

#ifdef __FAST_MATH__
#error "compile without -ffast-math: sums must keep their order, and NaN its meaning"
#endif
#if defined(FLT_EVAL_METHOD) && (FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2)
#error "floats must be computed as floats: on x86 compile with -msse2 -mfpmath=sse"
#endif
#if defined(__clang__) || !defined(__GNUC__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize ("fp-contract=off")
#endif

{functions}
{constants}

void {name}_reset({name}_state *state)
{{
    int i;
{resets}
}}

{step}
{{
    int i;
{lines}
}}
"""
