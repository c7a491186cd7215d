"""Tunes and beginnings of tunes as the ids that a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sluice.sequence import Vocabulary
from sluice.tunes.composition.prompts import PromptReading
from sluice.tunes.errors import TuneError
from sluice.tunes.notation.model_tokens import ModelTokens, split_count, suggest_open_bars
from sluice.tunes.theory.dances import FREE_METER
from sluice.tunes.theory.keys import is_pitch
from sluice.tunes.tune import Tune


@dataclass(frozen=True)
class TuneEncoder:
    """Spells tunes for one model.

    Attributes:
        vocabulary: the tokens that the model knows.
        spelling: how it spells tunes.
    """

    vocabulary: Vocabulary
    spelling: ModelTokens

    def encode_prompt(self, read: PromptReading) -> list[list[int]]:
        """The ids to choose from for each place of a prompt's body.

        Raises:
            TuneError: a note that is not in the training data.
        """
        tokens = self.adapt_bar_lines(Tune(read.tokens)).tokens
        vocabulary, spelt = self.vocabulary, self.encode_beginning(tokens)
        notes = [name for name in vocabulary.tokens if name == "z" or is_pitch(name)]
        gaps = {place + len(spelt) - len(tokens) for place in read.gaps}
        return [
            vocabulary.encode(notes) if place in gaps else self.encode([name])
            for place, name in enumerate(spelt)
        ]

    def encode_beginning(self, tokens: Sequence[str]) -> tuple[str, ...]:
        """The body of a beginning, its last section as long as the model knows sections: of eight
        bars or four, repeated or not."""
        spelling, vocabulary = self.spelling, self.vocabulary
        ways = [
            spelling.encode_body(tokens, suggest_open_bars(tokens, bars), may_repeat)
            for may_repeat in (True, False)
            for bars in (8, 4)
        ]
        return min(ways, key=lambda way: sum(name not in vocabulary for name in way))

    def adapt_bar_lines(self, tune: Tune) -> Tune:
        """With plain bar lines for double ones where the model knows none."""
        if "||" in self.vocabulary:
            return tune
        return replace(tune, tokens=tuple("|" if t == "||" else t for t in tune.tokens))

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """The ids of tokens.

        Raises:
            TuneError: one that is not in the training data.
        """
        unknown = [token for token in tokens if token not in self.vocabulary]
        if unknown:
            raise TuneError(_describe_unknown(unknown[0]))
        return self.vocabulary.encode(tokens)


def _describe_unknown(token: str) -> str:
    if not token.startswith("M:"):
        name, count = split_count(token)
        if count is None:
            return f"The model was not trained on {name!r} (on a root of C); use other notes."
        bars = f"{count} full bar{'' if count == 1 else 's'}"
        return (
            f"The model knows no section with {bars} after {name!r}; "
            "let the section have four or eight bars."
        )
    meter = token.removeprefix("M:")
    meter = "free meter (M:none)" if meter == FREE_METER else meter
    return f"The model was not trained on tunes in {meter}; use another meter."
