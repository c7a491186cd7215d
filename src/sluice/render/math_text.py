"""Pieces of an equation, each as LaTeX and as Unicode text; both are always built together."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.equations.op_table import CALL, NEGATED, PRODUCT


@dataclass(frozen=True)
class MathText:
    """A piece of an equation in both forms; ``precedence`` says how tightly it binds.

    A piece with subscripts keeps what it is made of, so that more can follow: u₁ becomes u₁,ₜ.
    """

    latex: str
    plain: str
    precedence: int = CALL
    stem: MathText | None = None
    marks: tuple[MathText, ...] = ()

    def parenthesize(self, precedence: int) -> MathText:
        """This piece, in parentheses unless it binds as tightly as ``precedence``."""
        if self.precedence >= precedence:
            return self
        return MathText(f"({self.latex})", f"({self.plain})")

    def with_accent(self, latex: str, mark: str) -> MathText:
        """With an accent over it: a LaTeX command and a combining character."""
        if self.stem is not None:
            return self.stem.with_accent(latex, mark).with_subscripts(*self.marks)
        return MathText(rf"{latex}{{{self.latex}}}", self.plain + mark)

    def with_subscripts(self, *subscripts: MathText) -> MathText:
        """With these subscripts, one after the other, behind those that it has."""
        if self.stem is not None:
            return self.stem.with_subscripts(*self.marks, COMMA, *subscripts)
        plain = "".join(s.plain for s in subscripts)
        short = plain.isalnum() and len(self.plain) == 1
        return MathText(
            f"{self.latex}_{{{''.join(s.latex for s in subscripts)}}}",
            f"{self.plain}_{plain}" if short or plain == "t" else f"{self.plain}_{{{plain}}}",
            stem=self,
            marks=subscripts,
        )

    def juxtapose(self, other: MathText, precedence: int) -> MathText:
        """Side by side with ``other``, as in W x."""
        return MathText(rf"{self.latex}\,{other.latex}", f"{self.plain} {other.plain}", precedence)

    def square(self) -> MathText:
        """Its elementwise square."""
        base = self.parenthesize(CALL)
        return MathText(f"{base.latex}^{{2}}", f"{base.plain}²", PRODUCT)

    def scale(self, factor: MathText) -> MathText:
        """A number's product with it: 2 (3 a), since 2 3 a would be read as 23 a."""
        held = self.parenthesize(CALL if self.plain[:1].isdigit() else PRODUCT)
        return factor.parenthesize(PRODUCT).juxtapose(held, PRODUCT)


NOW, BEFORE, AFTER = (MathText(text, text) for text in ("t", "t-1", "t+1"))
COMMA = MathText(",", ",")


def format_number(value: str) -> MathText:
    """A constant, given as the repr of a float."""
    shown = f"{float(value):.6g}"
    if not shown.strip("-").replace("inf", "").replace("nan", ""):
        return _format_special(shown)
    binds = NEGATED if shown.startswith("-") else CALL
    digits, _, power = shown.partition("e")
    if not power:
        return MathText(shown, shown.replace("-", "−"), binds)
    factor = {"1": "", "-1": "-"}.get(digits, rf"{digits} \cdot ")
    return MathText(f"{factor}10^{{{int(power)}}}", shown, binds if binds == NEGATED else PRODUCT)


def _format_special(shown: str) -> MathText:
    """An infinity, or no number at all."""
    if "nan" in shown:
        return MathText(r"\mathrm{NaN}", "NaN")
    if shown.startswith("-"):
        return MathText(r"-\infty", "−∞", NEGATED)
    return MathText(r"\infty", "∞")
