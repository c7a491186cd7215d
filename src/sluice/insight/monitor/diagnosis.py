"""What is wrong with a training, as a sentence, with what is usually done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DiagnosisKind = Literal[
    "vanishing gradient",
    "exploding gradient",
    "no gradient",
    "shut gate",
    "open gate",
    "saturated value",
    "dead units",
    "unread units",
]


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Something that hinders a training, seen in several observations in a row.

    Attributes:
        kind: what it is; `sluice.insight.monitor.thresholds` has the rule and the paper of each.
        layer: the layer's name in the model, `"encoder.l0_reverse"`.
        value: the gate or state; empty where it is the layer as a whole.
        figure: the number that it rests on: what arrives of a gradient, how many units, a share.
        sentence: what is wrong, in one sentence.
        remedy: what is usually done, in one sentence.
        step: the step at which it was first said.
    """

    kind: DiagnosisKind
    layer: str
    value: str
    figure: float
    sentence: str
    remedy: str
    step: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is about: two with the same key are the same trouble at two times."""
        return self.kind, self.layer, self.value

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}"

    def describe_end(self) -> str:
        """The sentence that takes it back."""
        what = f"{self.value} of {self.layer}" if self.value else self.layer
        return f"No longer: {self.kind} ({what}), said at step {self.step}."
