"""The functions that a C program has beside those of the op table.

A matrix lies in blocks of rows, each block column by column, so that a processor's vectors hold
rows: every row's sum keeps its order, whatever the width of a vector (`lay_out_blocks`).
"""

from __future__ import annotations

import torch
from torch import Tensor

WIDE, NARROW = 32, 8
"""Rows of the two kinds of block. What remains lies row by row."""


def lay_out_blocks(matrix: Tensor) -> Tensor:
    """A matrix ``(rows, columns)`` as `map` reads it, in one dimension."""
    parts, start = list[Tensor](), 0
    for height in (WIDE, NARROW):
        while start + height <= len(matrix):
            parts.append(matrix[start : start + height].T.flatten())
            start += height
    return torch.cat([*parts, matrix[start:].flatten()])


LANES = """\
/* Vectors of the processor. Without them the same is computed one by one. */
#if defined(__GNUC__) && \\
    (defined(__SSE2__) || defined(__ARM_NEON) || defined(__wasm_simd128__))
#ifdef __AVX__
#define LANES 8
#else
#define LANES 4
#endif
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define LOAD(p) (*(const lanes *)(p))
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static
#endif
#ifdef __clang__
#define APART static __attribute__((noinline)) /* inlined it keeps loops from being vectors */
#else
#define APART static
#endif
"""


def _write_block(name: str, kind: str, height: int) -> str:
    """One block's sums of products, each from the number that ``out`` has."""
    cast = "(float)" if kind == "int8_t" else ""
    sums = "\n".join(f"            s{k} = s{k} + {cast}row[{k}] * x[c];" for k in range(4))
    stored = "\n".join(f"        out[k + {k}] = s{k};" for k in range(4))
    return f"""\
static void {name}_{height}(float *restrict out, const {kind} *restrict w,
                   const float *restrict x, int columns)
{{
    int c;
#if LANES == 8
{_write_vectors(kind, height, 8)}
#elif LANES == 4
{_write_vectors(kind, height, 4)}
#else
    int k;
    for (k = 0; k < {height}; k += 4) {{
        const {kind} *row = w + k;
        float s0 = out[k], s1 = out[k + 1], s2 = out[k + 2], s3 = out[k + 3];
        for (c = 0; c < columns; c++, row += {height}) {{
{sums}
        }}
{stored}
    }}
#endif
}}
"""


def _write_vectors(kind: str, height: int, width: int) -> str:
    """The same by vectors of ``width`` rows; the sums stay in registers."""
    places = range(height // width)
    row, convert = "w", ""
    if kind == "int8_t":  # a plain loop, of which compilers make vectors
        row = "row"
        convert = f"""\
        float row[{height}];
        int k;
        for (k = 0; k < {height}; k++) row[k] = (float)w[k];
"""
    declared = "\n".join(f"    lanes s{k} = LOAD(out + {width * k});" for k in places)
    added = "\n".join(f"        s{k} = s{k} + LOAD({row} + {width * k}) * x[c];" for k in places)
    stored = "\n".join(f"    *(lanes *)(out + {width * k}) = s{k};" for k in places)
    return f"""\
{declared}
    for (c = 0; c < columns; c++, w += {height}) {{
{convert}{added}
    }}
{stored}"""


def _write_map(name: str, kind: str) -> str:
    cast = "(float)" if kind == "int8_t" else ""
    return f"""\
{_write_block(name, kind, WIDE)}
{_write_block(name, kind, NARROW)}
/* out = out + w @ x */
APART void {name}(float *restrict out, const {kind} *restrict w, const float *restrict x,
                int rows, int columns)
{{
    int r = 0, c;
    for (; r + {WIDE} <= rows; r += {WIDE}, w += {WIDE} * columns)
        {name}_{WIDE}(out + r, w, x, columns);
    for (; r + {NARROW} <= rows; r += {NARROW}, w += {NARROW} * columns)
        {name}_{NARROW}(out + r, w, x, columns);
    for (; r < rows; r++, w += columns)
        for (c = 0; c < columns; c++) out[r] = out[r] + {cast}w[c] * x[c];
}}
"""


_MAP = f"""\
{_write_map("add_map", "float")}
static void map(float *restrict out, const float *restrict w, const float *restrict b,
                const float *restrict x, int rows, int columns)
{{
    int r;
    for (r = 0; r < rows; r++) out[r] = b ? b[r] : 0.0f;
    add_map(out, w, x, rows, columns);
}}
"""
_MAP_INT8 = f"""\
{_write_map("add_map_int8", "int8_t")}
static void map_int8(float *restrict out, const int8_t *restrict w, const float *restrict scale,
                     const float *restrict b, const float *restrict x, int rows, int columns)
{{
    int r;
    for (r = 0; r < rows; r++) out[r] = 0.0f;
    add_map_int8(out, w, x, rows, columns);
    for (r = 0; r < rows; r++) out[r] = out[r] * scale[r] + (b ? b[r] : 0.0f);
}}
"""

HELPERS = {
    "map": _MAP,
    "map_int8": _MAP_INT8,
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
    memcpy(out, x, (size_t)count * sizeof *out);
}
""",
}
