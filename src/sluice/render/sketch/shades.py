"""How strongly each step of a sketch is drawn: the present one, those before, those to come."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.render.theme import Theme

_QUIET = 0.5
"""How much of its strength what was drawn before keeps."""


@dataclass(frozen=True)
class Shades:
    """What a sketch shows of its steps.

    Attributes:
        theme: Its colours.
        num_steps: How many steps are drawn in ink, None for all; later ones are faint.
        current: The step that stands out; earlier ones are quiet. None: all alike.
        has_future: Whether later steps are drawn at all.
    """

    theme: Theme
    num_steps: int | None = None
    current: int | None = None
    has_future: bool = True

    def is_shown(self, step: int) -> bool:
        """Whether a step is drawn in ink."""
        return self.num_steps is None or step < self.num_steps

    def is_hidden(self, step: int) -> bool:
        """Whether a step is not drawn at all."""
        return not self.has_future and not self.is_shown(step)

    def is_quiet(self, step: int) -> bool:
        """Whether it is one of those before the present one."""
        return self.current is not None and step < self.current

    def ink(self, step: int) -> str:
        """The colour of lines and letters."""
        if not self.is_shown(step):
            return self.theme.grid
        return (
            mix(self.theme.ink, self.theme.body, _QUIET) if self.is_quiet(step) else self.theme.ink
        )

    def fill(self, colour: str, step: int) -> str:
        """The colour of a shape's area."""
        if not self.is_shown(step):
            return self.theme.body
        return mix(colour, self.theme.body, 0.35) if self.is_quiet(step) else colour

    def width(self, points: float, step: int) -> float:
        """The width of a line."""
        is_current = self.current is not None and step == self.current
        return points * (1.35 if is_current else 1.0)

    def order(self, step: int) -> float:
        """What lies above what: the present step above those before, these above later ones."""
        if not self.is_shown(step):
            return 0.0
        return 0.5 if self.is_quiet(step) else 1.0


def mix(colour: str, other: str, share: float) -> str:
    """A colour of which ``share`` is the first one, as in ``#rrggbb``.

    >>> mix("#ffffff", "#000000", 0.5)
    '#808080'
    """
    pairs = [(int(colour[k : k + 2], 16), int(other[k : k + 2], 16)) for k in (1, 3, 5)]
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)
