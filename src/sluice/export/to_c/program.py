"""A layer or a language model as a C header and a C file."""

from __future__ import annotations

from dataclasses import dataclass

from sluice._version import __version__
from sluice.export.network_writer import NetworkWriter
from sluice.export.to_c.operations import FUNCTIONS, list_functions
from sluice.export.to_c.step import CSource, write_number
from sluice.nn.stack import RecurrentStack
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
        self._name, self._is_model = name, isinstance(module, LanguageModel)
        self._source = CSource()
        self._network = NetworkWriter(module, self._source, int8)

    def write(self) -> CProgram:
        """The whole program."""
        return self._assemble(self._name, self._network.write())

    def _assemble(self, name: str, width: int) -> CProgram:
        network, source, resets = self._network, self._source, list[str]()
        fields = network.list_states()
        for field, initial in fields:
            if bool((initial == initial[0]).all()):
                value = f"{write_number(float(initial[0]))}"
            else:
                value = f"{source.array(initial)}[i]"
            resets.append(f"    for (i = 0; i < {len(initial)}; i++) state->{field}[i] = {value};")
        state_bytes = 4 * sum(len(initial) for _, initial in fields)
        size = network.input_size
        first = "int token" if self._is_model else "const float *input"
        beside = "".join(f", const float *input_{one}" for one in network.inputs)
        step = f"void {name}_step({name}_state *state, {first}{beside}, float *output)"
        guard = f"{name.upper()}_H"
        members = "\n".join(f"    float {field}[{len(initial)}];" for field, initial in fields)
        header = _HEADER.format(
            version=__version__, name=name, upper=name.upper(), guard=guard, members=members,
            step=step, flags=FLAGS, size=size, width=width, constants=source.constant_bytes,
            state=state_bytes, cell=network.cell_name,
        )  # fmt: skip
        text = "\n".join(source.lines)
        helpers = [one for key, one in _HELPERS.items() if f"{key}(" in text]
        own = [FUNCTIONS[one] for one in list_functions(text)]
        body = _BODY.format(
            name=name, functions="\n".join([*own, *helpers]),
            constants="\n".join(source.constants), resets="\n".join(resets), step=step,
            lines=text,
        )  # fmt: skip
        return CProgram(
            header, body, source.constant_bytes, state_bytes, size, width, network.inputs
        )


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
