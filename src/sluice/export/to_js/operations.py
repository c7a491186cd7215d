"""How JavaScript spells each row of the op table, and the functions that it lacks."""

from __future__ import annotations

JS_OPERATIONS: dict[str, str] = {
    "add": "({0} + {1})",
    "subtract": "({0} - {1})",
    "multiply": "({0} * {1})",
    "divide": "({0} / {1})",
    "negative": "(-{0})",
    "exp": "Math.exp({0})",
    "expm1": "Math.expm1({0})",
    "log": "Math.log({0})",
    "sqrt": "Math.sqrt({0})",
    "power": "({0} ** {1})",
    "sin": "Math.sin({0})",
    "cos": "Math.cos({0})",
    "erf": "erf({0})",
    "sigmoid": "(1 / (1 + Math.exp(-{0})))",
    "log_sigmoid": "-softplus(-{0})",
    "softplus": "softplus({0})",
    "silu": "({0} / (1 + Math.exp(-{0})))",
    "tanh": "Math.tanh({0})",
    "relu": "Math.max({0}, 0)",
    "absolute": "Math.abs({0})",
    "sign": "Math.sign({0})",
    "floor": "Math.floor({0})",
    "round": "roundToEven({0})",
    "maximum": "Math.max({0}, {1})",
    "minimum": "Math.min({0}, {1})",
    "clamp": "Math.min(Math.max({0}, {1}), {2})",
    "hard_tanh": "Math.min(Math.max({0}, {1}), {2})",
    "greater": "({0} > {1} ? 1 : 0)",
    "greater_equal": "({0} >= {1} ? 1 : 0)",
    "where": "({0} ? {1} : {2})",
    "detach": "{0}",
}
"""An expression of the operands, which are names or numbers; a comparison is 1 or 0."""

FUNCTIONS: dict[str, str] = {
    "softplus": """\
const softplus = (x) => (x > 20 ? x : Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))));
""",
    "roundToEven": """\
function roundToEven(x) {
  const near = Math.round(x);
  return near - x === 0.5 && near % 2 ? near - 1 : near;
}
""",
    "erf": """\
function erf(x) { // a series near 0, a continued fraction far from it
  const a = Math.abs(x);
  if (a < 2.5) {
    let sum = x, term = x;
    for (let n = 1; n < 40; n++) sum += (term *= (-x * x) / n) / (2 * n + 1);
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let rest = 0;
  for (let n = 40; n > 0; n--) rest = n / 2 / (a + rest);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (a + rest) / Math.sqrt(Math.PI));
}
""",
    "norm": """\
function norm(out, x, w, b, epsilon, count) {
  let mean = 0, variance = 0;
  for (let i = 0; i < count; i++) mean += m[x + i] / count;
  for (let i = 0; i < count; i++) variance += (m[x + i] - mean) ** 2 / count;
  const scale = 1 / Math.sqrt(variance + epsilon);
  for (let i = 0; i < count; i++) m[out + i] = (m[x + i] - mean) * scale * m[w + i] + m[b + i];
}
""",
    "sum": """\
function sum(x, count, stride) {
  let found = 0;
  for (let i = 0; i < count; i++) found += m[x + i * stride];
  return found;
}
""",
    "greatest": """\
function greatest(x, count) {
  let found = m[x];
  for (let i = 1; i < count; i++) found = Math.max(found, m[x + i]);
  return found;
}
""",
    "copy": """\
const copy = (out, x, count) => m.copyWithin(out, x, x + count);
""",
}
"""Functions over the memory: ``m`` its floats, ``q`` its bytes; arrays are places in it."""

_FOUR_ROWS = """\
  for (let r = 0; r < rows; r += 4) { // four rows at once; of fewer the last one again
    const last = rows - 1 - r, p = w + r * columns;
    const second = p + Math.min(1, last) * columns, third = p + Math.min(2, last) * columns;
    const fourth = p + Math.min(3, last) * columns;
    let s = 0, t = 0, u = 0, v = 0;
    for (let c = 0; c < columns; c++) {
      const z = m[x + c];
      s += WEIGHTS[p + c] * z;
      t += WEIGHTS[second + c] * z;
      u += WEIGHTS[third + c] * z;
      v += WEIGHTS[fourth + c] * z;
    }
    m[out + r] = s;
    if (last > 0) m[out + r + 1] = t;
    if (last > 1) m[out + r + 2] = u;
    if (last > 2) m[out + r + 3] = v;
  }
"""

PRODUCTS: dict[str, str] = {
    "map": f"""\
function plainMap(out, w, b, x, rows, columns) {{
{_FOUR_ROWS.replace("WEIGHTS", "m")}\
  if (b >= 0) for (let r = 0; r < rows; r++) m[out + r] += m[b + r];
}}
""",
    "mapInt8": f"""\
function plainMapInt8(out, w, scale, b, x, rows, columns) {{
{_FOUR_ROWS.replace("WEIGHTS", "q")}\
  for (let r = 0; r < rows; r++) {{
    m[out + r] = m[out + r] * m[scale + r] + (b >= 0 ? m[b + r] : 0);
  }}
}}
""",
}
"""Matrix products with a bias, whose names are those of WebAssembly's (``kernels.c``)."""


def list_functions(text: str) -> list[str]:
    """The functions that a text calls."""
    return [name for name in FUNCTIONS if f"{name}(" in text]


def list_products(text: str) -> dict[str, str]:
    """The products that a text calls, with the names of those in plain JavaScript."""
    return {name: f"plain{name[0].upper()}{name[1:]}" for name in PRODUCTS if f"{name}(" in text}
