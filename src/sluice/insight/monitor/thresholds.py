"""The rules by which an observation of a layer is found wrong, and the sentences.

Each rule is about one layer in one observation; `DiagnosisLog` says it when it held in several in
a row.

- **vanishing gradient**: of a gradient at the last state less than a thousandth arrives 20 steps
  back, or in proportion over fewer steps (a factor of 0.71 a step), and less than a thirtieth in
  all. Hochreiter 1991; Bengio, Simard & Frasconi 1994. Remedies: a gated cell (Hochreiter &
  Schmidhuber 1997), an open forget gate (Jozefowicz, Zaremba & Sutskever 2015), chrono
  initialisation (Tallec & Ollivier 2018), an orthogonal matrix (Saxe, McClelland & Ganguli 2014).
- **exploding gradient**: it grows so, or a thousandfold anywhere, or a derivative of the loss is
  not finite. Pascanu, Mikolov & Bengio 2013, with clipping as the remedy.
- **no gradient**: the derivative by every unit of the output was exactly 0 in the window.
- **shut gate**: at least a quarter of the units were below 0.01 at every step of the window, where
  the derivative of σ is below 0.01 too. A unit whose memory gate forgets as little as the gate
  lets in is slow, not shut. Karpathy, Johnson & Fei-Fei 2015 look at gates so; Gers, Schmidhuber &
  Cummins 2000 start them open.
- **open gate**: at least half of the units were above 0.99 at every step of the window; above
  0.9999 for the gate that keeps the memory, which is meant to be open.
- **saturated value**: nine tenths of a tanh's values lie within 0.01 of their bounds, or of a
  gate's, which is then shut or open at a tenth of the time each.
  Glorot & Bengio 2010; for recurrent layers Ba, Kiros & Hinton 2016 normalise.
- **dead units**: an output was the very same number in the whole window. Maas, Hannun & Ng 2013;
  Le, Jaitly & Hinton 2015 for recurrent layers of ReLU.
- **unread units**: their derivative was exactly 0 in the whole window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from sluice.insight.monitor.diagnosis import Diagnosis
from sluice.insight.monitor.observation import LayerObservation, ValueStatistics

STEPS_BACK = 20
VANISHED, EXPLODED = 1e-3, 1e3
"""What arrives `STEPS_BACK` steps back."""
LEAST_CHANGE = 30.0
"""Over few steps a gradient must fall or grow by this factor at least."""
SHUT_SHARE, OPEN_SHARE, SATURATED_SHARE, SWITCHED_SHARE = 0.25, 0.5, 0.9, 0.1


def find_faults(layer: str, seen: LayerObservation) -> Iterator[Diagnosis]:
    """What is wrong with a layer in one observation."""
    yield from _judge_gradient(layer, seen)
    for name, value in seen.values.items():
        yield from _judge_value(layer, seen, name, value)
    yield from _judge_units(layer, seen)


def _judge_gradient(layer: str, seen: LayerObservation) -> Iterator[Diagnosis]:
    gradients = [one.gradient for one in seen.values.values() if one.gradient is not None]
    if any(not math.isfinite(one) for one in gradients):
        yield _make_exploding(layer, seen, math.inf, "a derivative of the loss is not finite")
        return
    if seen.flow_steps < 2:
        return
    back = min(STEPS_BACK, seen.flow_steps - 1)
    arriving, part = seen.flow_twenty, back / STEPS_BACK
    if arriving <= min(VANISHED**part, 1 / LEAST_CHANGE):
        yield Diagnosis(
            kind="vanishing gradient",
            layer=layer,
            value=seen.memory,
            figure=arriving,
            sentence=f"The gradient of {seen.memory} vanishes in {layer}: {back} steps back "
            f"{_format_share(arriving)} of it is left, so what lies further back is hardly learnt.",
            remedy=_advise_against_vanishing(seen),
        )
    grown = seen.flow_peak if seen.flow_peak >= EXPLODED else 0.0
    if not grown and arriving >= max(EXPLODED**part, LEAST_CHANGE):
        grown = arriving
    if grown:
        over = back if grown == arriving else seen.flow_steps - 1
        yield _make_exploding(layer, seen, grown, f"it grows {grown:,.3g}-fold over {over} steps")


def _format_share(share: float) -> str:
    if not share:
        return "nothing"
    return f"only {100 * share:.2g} %" if share >= 1e-4 else f"only {share:.0e}"


def _advise_against_vanishing(seen: LayerObservation) -> str:
    if seen.memory_gate is None and any(one.kind == "gate" for one in seen.values.values()):
        return "Usual: biases by which more of the state is kept at the start, or a lower rate."
    if seen.memory_gate is None:
        return (
            f"Usual: a gated cell such as lstm or gru in place of {seen.cell}, or an orthogonal "
            "recurrent matrix; a longer sequence or a higher rate will not help."
        )
    return (
        f"Usual: start the {seen.memory_gate} gate open (forget_bias=1, or chrono=T for memories "
        "of up to T steps), and check that it is not pushed shut."
    )


def _make_exploding(layer: str, seen: LayerObservation, figure: float, how: str) -> Diagnosis:
    return Diagnosis(
        kind="exploding gradient",
        layer=layer,
        value=seen.memory,
        figure=figure,
        sentence=f"The gradient of {seen.memory} explodes in {layer}: {how}.",
        remedy="Usual: clip the gradient's norm (max_grad_norm=1), lower the learning rate, cut "
        "sequences into shorter chunks (bptt=), or start from smaller recurrent weights.",
    )


def _judge_value(
    layer: str, seen: LayerObservation, name: str, value: ValueStatistics
) -> Iterator[Diagnosis]:
    is_memory = name == seen.memory_gate
    units = value.units
    if value.shut >= max(1, SHUT_SHARE * units):
        effect = (
            f"keep nothing of {seen.memory} from one step to the next"
            if is_memory
            else "let nothing through, and hardly learn to"
        )
        yield Diagnosis(
            kind="shut gate",
            layer=layer,
            value=name,
            figure=float(value.shut),
            sentence=f"The {name} gate of {layer} is shut for good in {value.shut} of {units} "
            f"units (below 0.01 at every step): they {effect}.",
            remedy=f"Usual: start its bias at {'1 or more (forget_bias=1)' if is_memory else '0'}, "
            "lower the learning rate, or normalise (a layer-norm cell).",
        )
    if value.open >= max(1, OPEN_SHARE * units):
        effect = (
            f"{seen.memory} is carried on and never forgotten there"
            if is_memory
            else "it works as if it were not there, and hardly learns to shut"
        )
        yield Diagnosis(
            kind="open gate",
            layer=layer,
            value=name,
            figure=float(value.open),
            sentence=f"The {name} gate of {layer} is open for good in {value.open} of {units} "
            f"units (above {'0.9999' if is_memory else '0.99'} at every step): {effect}.",
            remedy="Usual: start its bias lower, lower the learning rate, or normalise (a "
            "layer-norm cell).",
        )
    # A gate at one of its bounds alone is shut or open, which is judged above.
    can_be = value.kind == "squashed" or min(value.low, value.high) >= SWITCHED_SHARE
    if value.kind != "other" and value.extreme >= SATURATED_SHARE and can_be:
        yield Diagnosis(
            kind="saturated value",
            layer=layer,
            value=name,
            figure=float(value.extreme),
            sentence=f"The value {name} of {layer} is saturated: {value.extreme:.0%} of its "
            "numbers lie within 0.01 of its bounds, where no gradient passes.",
            remedy="Usual: smaller initial weights or inputs of deviation 1, a lower learning "
            "rate, or layer norm.",
        )


def _judge_units(layer: str, seen: LayerObservation) -> Iterator[Diagnosis]:
    units = seen.units
    if seen.constant_units:
        yield Diagnosis(
            kind="dead units",
            layer=layer,
            value="",
            figure=float(seen.constant_units),
            sentence=f"{seen.constant_units} of {units} units of {layer} are dead: their output "
            "was the very same number at every step that was looked at.",
            remedy="Usual: a lower learning rate, biases that start at 0 or above, a leaky ReLU or "
            "tanh in place of ReLU, or layer norm.",
        )
    if seen.unread_units == units:
        yield Diagnosis(
            kind="no gradient",
            layer=layer,
            value="",
            figure=0.0,
            sentence=f"No gradient reaches {layer}: every derivative of its output was exactly 0.",
            remedy="Usual: look for a detach(), a frozen or zero readout, or a loss that does not "
            "read this layer.",
        )
    elif seen.unread_units:
        yield Diagnosis(
            kind="unread units",
            layer=layer,
            value="",
            figure=float(seen.unread_units),
            sentence=f"{seen.unread_units} of {units} units of {layer} are unread: the loss's "
            "derivative by them was exactly 0 at every step that was looked at.",
            remedy="Usual: look for weights of the readout that are 0, or a ReLU behind the layer "
            "that is never on.",
        )
