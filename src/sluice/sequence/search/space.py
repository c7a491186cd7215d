"""What a search varies: ranges and choices, from text such as `hidden=32..256:log`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from sluice.sequence.errors import SequenceError

if TYPE_CHECKING:
    import optuna

Kind = Literal["int", "float", "name"]
Value = int | float | str
_EXAMPLES = {"int": "32..256:log or 64,128", "float": "0.001..0.1:log or 0.1,0.3", "name": "a,b"}


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included, evenly or by their logarithm."""

    low: float
    high: float
    log: bool
    kind: Kind

    @property
    def ends(self) -> tuple[Value, ...]:
        """The lowest and the highest value."""
        if self.kind == "int":
            return int(self.low), int(self.high)
        return self.low, self.high

    def suggest(self, trial: optuna.Trial, name: str) -> Value:
        """A value for a trial."""
        if self.kind == "int":
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}" + (":log" if self.log else "")


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Value, ...]

    @property
    def ends(self) -> tuple[Value, ...]:
        """All values."""
        return self.values

    def suggest(self, trial: optuna.Trial, name: str) -> Value:
        """A value for a trial."""
        chosen = trial.suggest_categorical(name, self.values)
        return cast(Value, chosen)

    def __str__(self) -> str:
        return ",".join(map(str, self.values))


@dataclass(frozen=True)
class SearchSpace:
    """The settings that a search varies, by name.

    >>> space = SearchSpace.parse(["hidden=32..256:log", "cell=lstm,gru"],
    ...                           {"hidden": "int", "cell": "name"})
    >>> print(space)
    cell=lstm,gru hidden=32..256:log
    """

    entries: Mapping[str, Range | Choice]

    @classmethod
    def parse(cls, texts: Iterable[str], kinds: Mapping[str, Kind]) -> SearchSpace:
        """The space of texts NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=VALUE,VALUE.

        Args:
            texts: one for each setting.
            kinds: the settings that can be varied, and what their values are.

        Raises:
            SequenceError: a text of another form, an unknown name, one that comes twice, an empty
                range, or a value of the wrong kind.
        """
        entries: dict[str, Range | Choice] = {}
        for text in texts:
            name, equals, values = (part.strip() for part in text.partition("="))
            if not equals or name not in kinds:
                raise SequenceError(
                    f"What a search varies must be NAME=VALUES, with NAME one of "
                    f"{', '.join(kinds)}, got {text!r}."
                )
            if name in entries:
                raise SequenceError(f"{name} is given twice; give it once, with all its values.")
            entries[name] = _parse_values(name, values, kinds[name])
        return cls(entries)

    def suggest(self, trial: optuna.Trial) -> dict[str, Value]:
        """A value of each setting for a trial."""
        return {name: self.entries[name].suggest(trial, name) for name in sorted(self.entries)}

    def __str__(self) -> str:
        return " ".join(f"{name}={self.entries[name]}" for name in sorted(self.entries))


def _parse_values(name: str, text: str, kind: Kind) -> Range | Choice:
    bounds, _, scale = text.partition(":")
    if ".." not in bounds or kind == "name":
        return _parse_choice(name, text, kind)
    low, high = (_parse_number(name, part, kind) for part in bounds.split("..", 1))
    if scale not in ("", "log"):
        raise SequenceError(f"{name} must be LOW..HIGH or LOW..HIGH:log, got {text!r}.")
    if low >= high or (scale == "log" and low <= 0):
        least = " above 0" if scale == "log" else ""
        raise SequenceError(f"{name} must go from a lower to a higher number{least}, got {text!r}.")
    return Range(low, high, scale == "log", kind)


def _parse_choice(name: str, text: str, kind: Kind) -> Choice:
    parts: Sequence[str] = [part.strip() for part in text.split(",")]
    values = tuple(part if kind == "name" else _parse_number(name, part, kind) for part in parts)
    if "" in parts or len(set(values)) < len(values):
        raise SequenceError(
            f"{name} must be different values, such as {_EXAMPLES[kind]}, got {text!r}."
        )
    return Choice(values)


def _parse_number(name: str, text: str, kind: Kind) -> int | float:
    try:
        number = int(text) if kind == "int" else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        what = "whole numbers" if kind == "int" else "numbers"
        raise SequenceError(f"{name} must be {what}, such as {_EXAMPLES[kind]}, got {text!r}.")
    return number
