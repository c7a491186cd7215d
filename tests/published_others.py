"""Oscillators, delays, deep transitions, scans and other cells without an LSTM's gates."""

from __future__ import annotations

from typing import Any

from sluice import (
    Cell,
    Gate,
    Map,
    Norm,
    State,
    Vector,
    absolute,
    exp,
    log_sigmoid,
    maximum,
    minimum,
    relu,
    sigmoid,
    sqrt,
    tanh,
    where,
)

Step = dict[str, Any]


class RWKV(Cell):
    """RWKV-4's time mixing (Peng et al. 2023)."""

    r, k, v = Map(bias=False), Map(bias=False), Map(bias=False)
    mr, mk, mv = (Vector(width="input") for _ in range(3))
    w, u = Vector(), Vector()
    out = Map(bias=False)
    before = State(width="input")
    top = State(initial=-1e38)

    def step(self, x: Any, h: Any, a: Any, b: Any, top: Any, before: Any) -> Step:
        r = self.r(x * self.mr + before * (1 - self.mr))
        k = self.k(x * self.mk + before * (1 - self.mk))
        v = self.v(x * self.mv + before * (1 - self.mv))
        m = maximum(top, self.u + k)
        e1, e2 = exp(top - m), exp(self.u + k - m)
        y = (e1 * a + e2 * v) / (e1 * b + e2)
        d = top - exp(self.w)
        m = maximum(d, k)
        e1, e2 = exp(d - m), exp(k - m)
        new = self.out(sigmoid(r) * y)
        return dict(h=new, a=e1 * a + e2 * v, b=e1 * b + e2, top=m, before=x)


class Antisymmetric(Cell):
    """Chang et al. 2019, gated, with its diffusion as a number."""

    z, v = Gate(), Gate()
    step_size, diffusion = 0.1, 0.01

    def step(self, x: Any, h: Any) -> Step:
        z = sigmoid(self.z(x, h) - self.diffusion * h)
        v = tanh(self.v(x, h) - self.diffusion * h)
        return dict(h=h + self.step_size * z * v, z=z, v=v)


class Lipschitz(Cell):
    """Erichson et al. 2021: a linear part beside a tanh part."""

    a, w = Map(bias=False), Gate()

    def step(self, x: Any, h: Any) -> Step:
        return dict(h=h + 0.03 * (self.a(h) + tanh(self.w(x, h))))


class DeepTransition(Cell):
    """Pascanu et al. 2014: three layers within a step."""

    first, second, third = Gate(), Map(), Map()

    def step(self, x: Any, h: Any) -> Step:
        return dict(h=tanh(self.third(tanh(self.second(tanh(self.first(x, h)))))))


class Delay1(Cell):
    """A state of the step before last."""

    pre = Gate()

    def step(self, x: Any, h: Any, a: Any) -> Step:
        return dict(h=tanh(self.pre(x, a)), a=h)


class Delay2(Cell):
    """One step further."""

    pre = Gate()

    def step(self, x: Any, h: Any, a: Any, b: Any) -> Step:
        return dict(h=tanh(self.pre(x, b)), a=h, b=a)


class Delay3(Cell):
    """And another."""

    pre = Gate()

    def step(self, x: Any, h: Any, a: Any, b: Any, c: Any) -> Step:
        return dict(h=tanh(self.pre(x, c)), a=h, b=a, c=b)


class NARX(Cell):
    """Lin et al. 1996, MIST (DiPietro et al. 2017): several delays at once."""

    now, back1, back2, back4 = Gate(), Map(bias=False), Map(bias=False), Map(bias=False)

    def step(self, x: Any, h: Any, h1: Any, h2: Any, h3: Any) -> Step:
        new = tanh(self.now(x, h) + self.back1(h1) + self.back2(h2) + self.back4(h3))
        return dict(h=new, h1=h, h2=h1, h3=h2)


class ThreeScales(Cell):
    """Three leaky states read by one."""

    pre = Gate()

    def step(self, x: Any, h: Any, a: Any, b: Any, c: Any) -> Step:
        new = tanh(self.pre(x, h) + a * b * c)
        return dict(h=new, a=0.9 * a + 0.1 * h, b=0.5 * b + 0.5 * h, c=0.1 * c + 0.9 * h)


class Clockwork(Cell):
    """Koutník et al. 2014 with two periods, the slower by a counter."""

    fast, slow, down = Gate(), Gate(), Map(bias=False)
    tick = State(initial=0.0)

    def step(self, x: Any, h: Any, s: Any, tick: Any) -> Step:
        due = where(tick > 0.5, tanh(self.slow(x, s)), s)
        return dict(h=tanh(self.fast(x, h) + self.down(due)), s=due, tick=1.0 - tick)


class OnLSTMLike(Cell):
    """After Shen et al. 2019: master gates (here sigmoids) over an LSTM's."""

    i, f, o, g, mi, mf = Gate(), Gate(), Gate(), Gate(), Gate(), Gate()

    def step(self, x: Any, h: Any, c: Any) -> Step:
        i, f, o = sigmoid(self.i(x, h)), sigmoid(self.f(x, h)), sigmoid(self.o(x, h))
        mi, mf = 1 - sigmoid(self.mi(x, h)), sigmoid(self.mf(x, h))
        w = mi * mf
        fhat, ihat = f * w + (mf - w), i * w + (mi - w)
        c = fhat * c + ihat * tanh(self.g(x, h))
        return dict(h=o * tanh(c), c=c, i=i, f=f, o=o, master_i=mi, master_f=mf, overlap=w)


class RGLRU(Cell):
    """Griffin's recurrence (De et al. 2024)."""

    r, i, lift = Map(), Map(), Map()
    lam = Vector()

    def step(self, x: Any, h: Any) -> Step:
        r, i = sigmoid(self.r(x)), sigmoid(self.i(x))
        log_a = 8.0 * r * log_sigmoid(self.lam)
        a = exp(log_a)
        return dict(h=a * h + sqrt(1 - a * a) * (i * self.lift(x)), r=r, i=i, a=a)


class MambaLike(Cell):
    """A selective scan of one number a unit (Gu & Dao 2023)."""

    delta, b, c, lift, gate = (Map() for _ in range(5))
    log_a, skip = Vector(), Vector()

    def step(self, x: Any, y: Any, h: Any) -> Step:
        u, d = self.lift(x), -log_sigmoid(-self.delta(x))
        h = exp(-d * exp(self.log_a)) * h + d * self.b(x) * u
        z = self.gate(x)
        return dict(y=(self.c(x) * h + self.skip * u) * (z * sigmoid(z)), h=h)


class IRNNNormed(Cell):
    """A rectifier with layer norm and a clamp."""

    pre, norm = Gate(), Norm()

    def step(self, x: Any, h: Any) -> Step:
        return dict(h=minimum(relu(self.norm(self.pre(x, h))), 6.0))


class EchoState(Cell):
    """A leaky echo state network (Jaeger 2001)."""

    pre = Gate()

    def step(self, x: Any, h: Any) -> Step:
        return dict(h=0.7 * h + 0.3 * tanh(self.pre(x, h)))


class CTRNN(Cell):
    """A continuous-time network with its own time constants (Beer 1995)."""

    pre, tau, theta = Gate(), Vector(), Vector()

    def step(self, x: Any, y: Any) -> Step:
        return dict(y=y + 0.1 / exp(self.tau) * (self.pre(x, sigmoid(y + self.theta)) - y))


class ClosedForm(Cell):
    """CfC (Hasani et al. 2022) with unit time."""

    back, g, h_head, f = Gate(), Map(), Map(), Map()

    def step(self, x: Any, h: Any) -> Step:
        b = tanh(self.back(x, h))
        t = sigmoid(-self.f(b))
        return dict(h=t * tanh(self.g(b)) + (1 - t) * tanh(self.h_head(b)), t=t)


class SpikingLIF(Cell):
    """A leaky integrate-and-fire unit."""

    pre = Gate()

    def step(self, x: Any, s: Any, v: Any) -> Step:
        v = 0.9 * v * (1 - s) + self.pre(x, s)
        return dict(s=where(v > 1.0, 1.0, 0.0), v=v)


class SquareRoot(Cell):
    """Odd functions at odd places, for the labels."""

    a, b = Gate(), Gate()

    def step(self, x: Any, h: Any, v: Any) -> Step:
        g = self.a(x, h)
        v = 0.99 * v + 0.01 * g * g
        scaled = g / (sqrt(v) + 1e-8)
        return dict(h=h - 0.1 * scaled * sigmoid(-self.b(x, h)), v=v, size=absolute(scaled) - 1.0)


class FastSlow(Cell):
    """Fast-slow (Mujika et al. 2017): two fast steps around a slow one."""

    first, slow, second = Gate(), Gate(), Gate()
    update = Gate()

    def step(self, x: Any, h: Any, s: Any) -> Step:
        f1 = tanh(self.first(x, h))
        z = sigmoid(self.update(h=s) + self.update(x))
        s = z * s + (1 - z) * tanh(self.slow(h=f1))
        return dict(h=tanh(self.second(h=s)) * f1, s=s, update=z)


class Unread(Cell):
    """Named values that nothing reads, one of them a mere sum."""

    a, b = Gate(), Gate()

    def step(self, x: Any, h: Any) -> Step:
        a, b = tanh(self.a(x, h)), sigmoid(self.b(x, h))
        return dict(h=a, a=a, b=b, total=a + b, energy=a * a)


OTHERS: tuple[type[Cell], ...] = (
    RWKV, Antisymmetric, Lipschitz, DeepTransition, Delay1, Delay2,
    Delay3, NARX, ThreeScales, Clockwork, OnLSTMLike, RGLRU, MambaLike, IRNNNormed,
    EchoState, CTRNN, ClosedForm, SpikingLIF, SquareRoot, FastSlow, Unread,
)  # fmt: skip
