"""How C spells each row of the op table, in float; the functions that no library gives alike.

``exp``, ``tanh`` and ``log`` are polynomials of our own, so that every compiler and processor gives
the same bits; sin, cos, erf and pow are the C library's.
"""

from __future__ import annotations

C_OPERATIONS: dict[str, str] = {
    "add": "({0} + {1})",
    "subtract": "({0} - {1})",
    "multiply": "({0} * {1})",
    "divide": "({0} / {1})",
    "negative": "(-{0})",
    "exp": "own_exp({0})",
    "expm1": "own_expm1({0})",
    "log": "own_log({0})",
    "sqrt": "sqrtf({0})",
    "power": "powf({0}, {1})",
    "sin": "sinf({0})",
    "cos": "cosf({0})",
    "erf": "erff({0})",
    "sigmoid": "own_sigmoid({0})",
    "log_sigmoid": "(-own_softplus(-{0}))",
    "softplus": "own_softplus({0})",
    "silu": "({0} * own_sigmoid({0}))",
    "tanh": "own_tanh({0})",
    "relu": "({0} > 0.0f ? {0} : 0.0f)",
    "absolute": "fabsf({0})",
    "sign": "(float)(({0} > 0.0f) - ({0} < 0.0f))",
    "floor": "floorf({0})",
    "round": "rintf({0})",
    "maximum": "({0} > {1} ? {0} : {1})",
    "minimum": "({0} < {1} ? {0} : {1})",
    "clamp": "own_clamp({0}, {1}, {2})",
    "hard_tanh": "own_clamp({0}, {1}, {2})",
    "greater": "({0} > {1} ? 1.0f : 0.0f)",
    "greater_equal": "({0} >= {1} ? 1.0f : 0.0f)",
    "where": "({0} != 0.0f ? {1} : {2})",
    "detach": "{0}",
}
"""An expression of the operands; a comparison is 1 or 0."""

NEEDS: dict[str, tuple[str, ...]] = {
    "own_expm1": ("own_exp",),
    "own_sigmoid": ("own_exp",),
    "own_tanh": ("own_expm1",),
    "own_softplus": ("own_exp", "own_log"),
}
"""Which of our functions each of our functions calls."""

FUNCTIONS: dict[str, str] = {
    "own_exp": """\
INLINE float own_exp(float x)
{
    const float low = x < -104.0f ? -104.0f : x, y = low > 89.0f ? 89.0f : low;
    union { float value; uint32_t bits; } whole, half, rest;
    float n, r, p;
    uint32_t power;
    whole.value = y * 1.44269504f + 12582912.0f;
    n = whole.value - 12582912.0f;
    r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
    p = ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r
        + 4.1665795894e-2f) * r + 1.6666665459e-1f) * r + 5.0000001201e-1f;
    p = (p * r * r + r) + 1.0f;
    power = whole.bits - 1262485248u;
    half.bits = ((power >> 1) - 1u) << 23;
    rest.bits = (power - (power >> 1) - 1u) << 23;
    return p * half.value * rest.value;
}
""",
    "own_expm1": """\
INLINE float own_expm1(float x)
{
    const float far = own_exp(x) - 1.0f;
    float p = ((((1.9875691500e-4f * x + 1.3981999507e-3f) * x + 8.3334519073e-3f) * x
        + 4.1665795894e-2f) * x + 1.6666665459e-1f) * x + 5.0000001201e-1f;
    p = p * x * x + x;
    return fabsf(x) > 0.34f ? far : p;
}
""",
    "own_sigmoid": """\
INLINE float own_sigmoid(float x)
{
    return 1.0f / (1.0f + own_exp(-x));
}
""",
    "own_tanh": """\
INLINE float own_tanh(float x)
{
    const float a = fabsf(x), t = own_expm1(a > 10.0f ? 20.0f : 2.0f * a), y = t / (t + 2.0f);
    return x < 0.0f ? -y : y;
}
""",
    "own_log": """\
static float own_log(float x)
{
    union { float value; int32_t bits; } m;
    int32_t e = -126;
    float y, z, f, p;
    if (!(x > 0.0f)) return x == 0.0f ? -INFINITY : NAN;
    if (x > 3.4028235e38f) return x;
    m.value = x;
    if (x < 1.17549435e-38f) { m.value = x * 8388608.0f; e -= 23; }
    e += m.bits / 8388608;
    m.bits = m.bits % 8388608 + 126 * 8388608;
    if (m.value < 0.707106781f) { e -= 1; y = m.value + m.value - 1.0f; }
    else y = m.value - 1.0f;
    z = y * y;
    p = (((((((7.0376836292e-2f * y - 1.1514610310e-1f) * y + 1.1676998740e-1f) * y
        - 1.2420140846e-1f) * y + 1.4249322787e-1f) * y - 1.6668057665e-1f) * y
        + 2.0000714765e-1f) * y - 2.4999993993e-1f) * y + 3.3333331174e-1f;
    f = (float)e;
    y = y + ((y * z * p + f * -2.12194440e-4f) - 0.5f * z);
    return y + f * 0.693359375f;
}
""",
    "own_softplus": """\
static float own_softplus(float x)
{
    const float u = own_exp(-fabsf(x)), w = 1.0f + u, above = x > 0.0f ? x : 0.0f;
    if (x > 20.0f) return x;
    return above + (w == 1.0f ? u : own_log(w) * u / (w - 1.0f));
}
""",
    "own_clamp": """\
static float own_clamp(float x, float low, float high)
{
    const float y = x < low ? low : x;
    return y > high ? high : y;
}
""",
}
"""Our functions, in an order in which each stands after those that it calls."""


def list_functions(text: str) -> list[str]:
    """The functions that an expression or a body calls, and those that they call."""
    found = {name for name in FUNCTIONS if f"{name}(" in text}
    while more := {one for name in found for one in NEEDS.get(name, ())} - found:
        found |= more
    return [name for name in FUNCTIONS if name in found]
