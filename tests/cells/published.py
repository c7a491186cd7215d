"""Steps of published cells on plain tensors, as their papers write them.

``w(p, "ih", k, v)`` is the k-th gate's part of a stack applied to v, with its bias if there is one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Parameters = dict[str, Tensor]
States = tuple[Tensor, ...]
Step = Callable[[Parameters, Tensor, States], States]
SIZE = 5
"""The hidden size of the layers under test."""


def w(p: Parameters, stack: str, k: int, v: Tensor) -> Tensor:
    rows = slice(k * SIZE, (k + 1) * SIZE)
    result = v @ p[f"weight_{stack}_l0"][rows].T
    bias = p.get(f"bias_{stack}_l0")
    return result if bias is None else result + bias[rows]


def m(p: Parameters, name: str, v: Tensor) -> Tensor:
    result = v @ p[f"weight_{name}_l0"].T
    bias = p.get(f"bias_{name}_l0")
    return result if bias is None else result + bias


def both(p: Parameters, k: int, x: Tensor, h: Tensor) -> Tensor:
    return w(p, "ih", k, x) + w(p, "hh", k, h)


def janet(p: Parameters, x: Tensor, s: States) -> States:
    (h,) = s
    a = both(p, 0, x, h)
    return (a.sigmoid() * h + (1 - torch.sigmoid(a - 1)) * both(p, 1, x, h).tanh(),)


def ugrnn(p: Parameters, x: Tensor, s: States) -> States:
    (h,) = s
    z = both(p, 0, x, h).sigmoid()
    return (z * h + (1 - z) * both(p, 1, x, h).tanh(),)


def li_gru(p: Parameters, x: Tensor, s: States) -> States:
    (h,) = s
    z = both(p, 0, x, h).sigmoid()
    return (z * h + (1 - z) * both(p, 1, x, h).relu(),)


def ran(p: Parameters, x: Tensor, s: States) -> States:
    h, c = s
    c = both(p, 0, x, h).sigmoid() * w(p, "ih", 2, x) + both(p, 1, x, h).sigmoid() * c
    return c.tanh(), c


def atr(p: Parameters, x: Tensor, s: States) -> States:
    a, b = w(p, "ih", 0, x), w(p, "hh", 0, s[0])
    return ((a + b).sigmoid() * a + (a - b).sigmoid() * s[0],)


def cfn(p: Parameters, x: Tensor, s: States) -> States:
    (h,) = s
    forget, write = both(p, 0, x, h).sigmoid(), both(p, 1, x, h).sigmoid()
    return (forget * h.tanh() + write * m(p, "candidate", x).tanh(),)


def star(p: Parameters, x: Tensor, s: States) -> States:
    k = both(p, 0, x, s[0]).sigmoid()
    return (torch.tanh((1 - k) * s[0] + k * w(p, "ih", 1, x).tanh()),)


def brc(p: Parameters, x: Tensor, s: States) -> States:
    (h,) = s
    a = 1 + torch.tanh(w(p, "ih", 0, x) + p["own_feedback_l0"] * h)
    z = torch.sigmoid(w(p, "ih", 1, x) + p["own_update_l0"] * h)
    return (z * h + (1 - z) * torch.tanh(w(p, "ih", 2, x) + a * h),)


def nbrc(p: Parameters, x: Tensor, s: States) -> States:
    (h,) = s
    a, z = 1 + both(p, 0, x, h).tanh(), both(p, 1, x, h).sigmoid()
    return (z * h + (1 - z) * torch.tanh(w(p, "ih", 2, x) + a * h),)


def min_gru(p: Parameters, x: Tensor, s: States) -> States:
    z = w(p, "ih", 0, x).sigmoid()
    return ((1 - z) * s[0] + z * w(p, "ih", 1, x),)


def min_lstm(p: Parameters, x: Tensor, s: States) -> States:
    f, i = w(p, "ih", 0, x).sigmoid(), w(p, "ih", 1, x).sigmoid()
    return ((f * s[0] + i * w(p, "ih", 2, x)) / (f + i),)


def sru(p: Parameters, x: Tensor, s: States) -> States:
    _, c = s
    f = torch.sigmoid(w(p, "ih", 0, x) + p["peep_forget_l0"] * c)
    r = torch.sigmoid(w(p, "ih", 1, x) + p["peep_reset_l0"] * c)
    c = f * c + (1 - f) * m(p, "candidate", x)
    return r * c + (1 - r) * m(p, "highway", x), c


def qrnn(p: Parameters, x: Tensor, s: States) -> States:
    _, c, before = s
    z = torch.tanh(w(p, "ih", 0, x) + m(p, "late_candidate", before))
    f = torch.sigmoid(w(p, "ih", 1, x) + m(p, "late_forget", before))
    o = torch.sigmoid(w(p, "ih", 2, x) + m(p, "late_output", before))
    c = f * c + (1 - f) * z
    return o * c, c, x


def typed(p: Parameters, x: Tensor, s: States) -> States:
    f = w(p, "ih", 0, x).sigmoid()
    return (f * s[0] + (1 - f) * m(p, "candidate", x),)


def ind_rnn(p: Parameters, x: Tensor, s: States) -> States:
    return (torch.relu(w(p, "ih", 0, x) + p["recurrent_l0"] * s[0]),)


def leaky(p: Parameters, x: Tensor, s: States) -> States:
    return (0.9 * s[0] + 0.1 * both(p, 0, x, s[0]).tanh(),)


def scrn(p: Parameters, x: Tensor, s: States) -> States:
    h, slow = s
    slow = 0.05 * m(p, "context", x) + 0.95 * slow
    return torch.sigmoid(m(p, "read", slow) + both(p, 0, x, h)), slow


def multiplicative_rnn(p: Parameters, x: Tensor, s: States) -> States:
    factor = m(p, "input_factor", x) * m(p, "state_factor", s[0])
    return (torch.tanh(m(p, "mixed", factor) + m(p, "candidate", x)),)


def integrate(p: Parameters, k: int, names: list[str], x: Tensor, h: Tensor) -> Tensor:
    a, b = w(p, "ih", k, x), w(p, "hh", k, h)
    alpha, of_state, of_input, offset = (p[f"{name}_l0"] for name in names)
    return alpha * a * b + of_state * b + of_input * a + offset


def integration_elman(p: Parameters, x: Tensor, s: States) -> States:
    return (integrate(p, 0, ["both", "of_state", "of_input", "offset"], x, s[0]).tanh(),)


def integration_lstm(p: Parameters, x: Tensor, s: States) -> States:
    h, c = s
    i, f, g, o = (
        integrate(p, k, [f"{part}_{name}" for part in ("both", "state", "new", "offset")], x, h)
        for k, name in enumerate(("input", "forget", "candidate", "output"))
    )
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def co_rnn(p: Parameters, x: Tensor, s: States) -> States:
    y, z = s
    a = torch.tanh(both(p, 0, x, y) + m(p, "coupling", z))
    z = z + 0.05 * (a - 2.7 * y - 4.7 * z)
    return y + 0.05 * z, z


def unicornn(p: Parameters, x: Tensor, s: States) -> States:
    y, z = s
    pace = 0.1 * (0.5 + 0.5 * torch.tanh(p["pace_l0"] / 2))
    z = z - pace * (torch.tanh(p["own_l0"] * y + w(p, "ih", 0, x)) + y)
    return y + pace * z, z


def lem(p: Parameters, x: Tensor, s: States) -> States:
    y, z = s
    first, second = both(p, 0, x, y).sigmoid(), both(p, 1, x, y).sigmoid()
    z = (1 - first) * z + first * both(p, 2, x, y).tanh()
    return (1 - second) * y + second * torch.tanh(m(p, "read", z) + m(p, "memory", x)), z


def mut1(p: Parameters, x: Tensor, s: States) -> States:
    (h,) = s
    z = w(p, "ih", 0, x).sigmoid()
    r = torch.sigmoid(w(p, "ih", 1, x) + w(p, "hh", 0, h))
    g = torch.tanh(w(p, "hh", 1, r * h) + w(p, "ih", 2, x).tanh())
    return (g * z + h * (1 - z),)


def mut2(p: Parameters, x: Tensor, s: States) -> States:
    (h,) = s
    z, r = both(p, 0, x, h).sigmoid(), both(p, 1, x, h).sigmoid()
    return (both(p, 2, x, r * h).tanh() * z + h * (1 - z),)


def mut3(p: Parameters, x: Tensor, s: States) -> States:
    (h,) = s
    z, r = both(p, 0, x, h.tanh()).sigmoid(), both(p, 1, x, h).sigmoid()
    return (both(p, 2, x, r * h).tanh() * z + h * (1 - z),)


def nas(p: Parameters, x: Tensor, s: States) -> States:
    h, c = s
    n = [both(p, k, x, h) for k in range(8)]
    a = torch.tanh(n[0].sigmoid() * n[1].relu())
    b = torch.tanh(n[2].sigmoid() + torch.relu(w(p, "ih", 3, x) * w(p, "hh", 3, h)))
    d = torch.tanh(n[4].tanh() * n[5].sigmoid())
    e = torch.sigmoid(n[6].tanh() + n[7].sigmoid())
    c = torch.tanh(a + c) * b
    return torch.tanh(c * torch.tanh(d + e)), c


def nested(p: Parameters, x: Tensor, s: States) -> States:
    h, c, inner = s
    i, f, g, o = (both(p, k, x, h) for k in range(4))
    new, held = i.sigmoid() * g.tanh(), f.sigmoid() * c
    a = [
        m(p, f"inner_{name}", new) + m(p, f"held_{name}", held)
        for name in ("input", "forget", "candidate", "output")
    ]
    inner = a[1].sigmoid() * inner + a[0].sigmoid() * a[2].tanh()
    c = a[3].sigmoid() * inner.tanh()
    return o.sigmoid() * c.tanh(), c, inner


def lstm_of(i: Tensor, f: Tensor, g: Tensor, o: Tensor, c: Tensor) -> States:
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def multiplicative_lstm(p: Parameters, x: Tensor, s: States) -> States:
    factor = m(p, "input_factor", x) * m(p, "state_factor", s[0])
    i, f, g, o = (both(p, k, x, factor) for k in range(4))
    return lstm_of(i, f, g, o, s[1])


def working_memory(p: Parameters, x: Tensor, s: States) -> States:
    h, c = s
    i, f, g, o = (both(p, k, x, h) for k in range(4))
    i = torch.sigmoid(i + m(p, "peep_input", c).tanh())
    f = torch.sigmoid(f + m(p, "peep_forget", c).tanh())
    c = f * c + i * g.tanh()
    return torch.sigmoid(o + m(p, "peep_output", c).tanh()) * c.tanh(), c


def mogrifier(p: Parameters, x: Tensor, s: States) -> States:
    h, c = s
    for number in (1, 3):
        x = 2 * m(p, f"gate_x{number}", h).sigmoid() * x
        h = 2 * m(p, f"gate_h{number + 1}", x).sigmoid() * h
    i, f, g, o = (both(p, k, x, h) for k in range(4))
    return lstm_of(i, f, g, o, c)


def ordered(p: Parameters, x: Tensor, s: States) -> States:
    h, c = s
    f, i, o, g, mf, mi = (both(p, k, x, h) for k in range(6))
    held, new = mf.softmax(-1).cumsum(-1), 1 - mi.softmax(-1).cumsum(-1)
    f = f.sigmoid() * held * new + held - held * new
    i = i.sigmoid() * held * new + new - held * new
    c = f * c + i * g.tanh()
    return o.sigmoid() * c.tanh(), c


def highway(p: Parameters, x: Tensor, s: States) -> States:
    (h,) = s
    a, t = both(p, 0, x, h), both(p, 1, x, h)
    for k in range(3):
        t = t.sigmoid()
        h = a.tanh() * t + h * (1 - t)
        if k < 2:
            a, t = m(p, f"deeper_{k}", h), m(p, f"deeper_transform_{k}", h)
    return (h,)


def fast_rnn(p: Parameters, x: Tensor, s: States) -> States:
    g = both(p, 0, x, s[0]).tanh()
    return (p["alpha_l0"].sigmoid() * g + p["beta_l0"].sigmoid() * s[0],)


def fast_grnn(p: Parameters, x: Tensor, s: States) -> States:
    a = both(p, 0, x, s[0])
    z, g = torch.sigmoid(a + p["offset_of_gate_l0"]), torch.tanh(a + p["offset_of_candidate_l0"])
    share = p["zeta_l0"].sigmoid() * (1 - z) + p["nu_l0"].sigmoid()
    return (share * g + z * s[0],)


def matrix_lstm(p: Parameters, x: Tensor, s: States) -> States:
    _, memory, norm, peak = s
    q, k, v, o = (w(p, "ih", n, x) for n in range(4))
    log_i, log_f = m(p, "input", x), torch.nn.functional.logsigmoid(m(p, "forget", x))
    top = torch.maximum(log_f + peak, log_i)
    i, f = (log_i - top).exp(), (log_f + peak - top).exp()
    c = memory.unflatten(-1, (SIZE, SIZE))
    c = f[..., None] * c + i[..., None] * v[:, :, None] * k[:, None, :]
    norm = f * norm + i * k
    least = torch.maximum((norm * q).sum(-1, keepdim=True).abs(), (-top).exp())
    read = (c @ q[:, :, None])[..., 0] / least
    return o.sigmoid() * read, c.flatten(1), norm, top


def delta_net(p: Parameters, x: Tensor, s: States) -> States:
    q, k, v = m(p, "query", x), m(p, "key", x), m(p, "value", x)
    k = k / (k.square().sum(-1, keepdim=True) + 1e-6).sqrt()
    beta = m(p, "rate", x).sigmoid()
    memory = s[1].unflatten(-1, (SIZE, SIZE))
    old = torch.einsum("bij,bj->bi", memory, k)
    memory = memory + torch.einsum("bi,bj->bij", beta * (v - old), k)
    return torch.einsum("bij,bj->bi", memory, q), memory.flatten(1)


def fast_weights(p: Parameters, x: Tensor, s: States) -> States:
    h, memory = s
    memory = 0.95 * memory.unflatten(-1, (SIZE, SIZE)) + 0.5 * h[:, :, None] * h[:, None, :]
    a = both(p, 0, x, h)
    a = a + torch.einsum("bij,bj->bi", memory, a.tanh())
    a = torch.nn.functional.layer_norm(a, (SIZE,), p["weight_norm_l0"], p["bias_norm_l0"])
    return a.tanh(), memory.flatten(1)


def lru(p: Parameters, x: Tensor, s: States) -> States:
    _, a, b = s
    eigenvalue = torch.exp(torch.complex(-p["decay_l0"].exp(), p["angle_l0"].exp()))
    scale = (1 - eigenvalue.abs().square()).sqrt()
    driven = torch.complex(m(p, "input_real", x), m(p, "input_imaginary", x))
    state = eigenvalue * torch.complex(a, b) + scale * driven
    readout = torch.complex(p["weight_read_real_l0"], p["weight_read_imaginary_l0"])
    y = (state @ readout.T).real + m(p, "skip", x)
    return y, state.real, state.imag


def rwkv(p: Parameters, x: Tensor, s: States) -> States:
    _, a, b, top, before = s
    mixed = [
        p[f"mix_{name}_l0"] * before + (1 - p[f"mix_{name}_l0"]) * x
        for name in ("receptance", "key", "value")
    ]
    r, k, v = (m(p, n, v) for n, v in zip(("receptance", "key", "value"), mixed, strict=True))
    bonus = (p["bonus_l0"] + k).exp()
    average = (a * top.exp() + bonus * v) / (b * top.exp() + bonus)
    aged = top - p["decay_l0"].exp()
    new_top = torch.maximum(aged, k)
    old, new = (aged - new_top).exp(), (k - new_top).exp()
    h = m(p, "output", r.sigmoid() * average)
    return h, old * a + new * v, old * b + new, new_top, x


STEPS: dict[str, Step] = {
    "OrderedLSTM": ordered,
    "RecurrentHighway": highway,
    "FastRNN": fast_rnn,
    "FastGRNN": fast_grnn,
    "MatrixLSTM": matrix_lstm,
    "DeltaNet": delta_net,
    "FastWeights": fast_weights,
    "LRU": lru,
    "RWKV": rwkv,
    "JANET": janet,
    "UGRNN": ugrnn,
    "LiGRU": li_gru,
    "RAN": ran,
    "ATR": atr,
    "CFN": cfn,
    "STAR": star,
    "BRC": brc,
    "NBRC": nbrc,
    "MinGRU": min_gru,
    "MinLSTM": min_lstm,
    "SRU": sru,
    "QRNN": qrnn,
    "TypedRNN": typed,
    "IndRNN": ind_rnn,
    "LeakyElman": leaky,
    "SCRN": scrn,
    "MultiplicativeRNN": multiplicative_rnn,
    "IntegrationElman": integration_elman,
    "CoRNN": co_rnn,
    "UnICORNN": unicornn,
    "LEM": lem,
    "MUT1": mut1,
    "MUT2": mut2,
    "MUT3": mut3,
    "NASCell": nas,
    "NestedLSTM": nested,
    "MultiplicativeLSTM": multiplicative_lstm,
    "WorkingMemoryLSTM": working_memory,
    "IntegrationLSTM": integration_lstm,
    "MogrifierLSTM": mogrifier,
}
"""By the class's name in `sluice.cells`; the first state is the output."""
