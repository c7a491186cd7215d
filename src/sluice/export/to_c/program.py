"""A layer or a language model as a C header and a C file."""

from __future__ import annotations

from dataclasses import dataclass

from sluice._version import __version__
from sluice.export.network_writer import NetworkWriter
from sluice.export.to_c.helpers import HELPERS, LANES
from sluice.export.to_c.operations import FUNCTIONS, list_functions
from sluice.export.to_c.step import CSource, write_number
from sluice.nn.stack import RecurrentStack
from sluice.sequence.models import LanguageModel

FLAGS = "-std=c99 -O2 -ftree-vectorize -ffp-contract=off"


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
        helpers = [one for key, one in HELPERS.items() if f"{key}(" in text]
        own = [FUNCTIONS[one] for one in list_functions(text)]
        body = _BODY.format(
            name=name, functions="\n".join([LANES, *own, *helpers]),
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
#include <string.h>

#ifdef __FAST_MATH__
#error "compile without -ffast-math: sums must keep their order, and NaN its meaning"
#endif
#if defined(FLT_EVAL_METHOD) && (FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2)
#error "floats must be computed as floats: on x86 compile with -msse2 -mfpmath=sse"
#endif
#if defined(__clang__) || !defined(__GNUC__)
#pragma STDC FP_CONTRACT OFF
#else
/* None of these changes a result. */
#pragma GCC optimize ("fp-contract=off", "tree-vectorize", "vect-cost-model=dynamic")
#pragma GCC optimize ("no-trapping-math")
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
