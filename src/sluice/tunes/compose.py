"""New tunes from weights that `learn.train` wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sluice.files import write_whole
from sluice.sequence import Checkpoint, LanguageModel, Sampling, generate
from sluice.tunes import abc, midi
from sluice.tunes.errors import BadMusic, TuneError
from sluice.tunes.keys import MODES
from sluice.tunes.measures import Index, Measures, from_figures, spells_a_tune
from sluice.tunes.tokens import Tune, from_abc, guess_rhythm

_TRIES = 20
_LONGEST = 700


@dataclass(frozen=True)
class Composer:
    """A trained model of tunes.

    `corpus` holds the measures of the tunes that it was validated on.
    """

    checkpoint: Checkpoint
    corpus: Measures

    @classmethod
    def load(cls, weights: Path, precision: str = "float32") -> Composer:
        """Read a file of weights.

        `precision` is what the kernels multiply in, `"float32"`, `"bfloat16"` or `"int8"`,
        whatever the weights were trained in.

        Raises:
            ValueError: an unknown precision.
            CheckpointError: no such file, truncated, or not a language model.
            TuneError: a language model, but not of tunes.
        """
        checkpoint = Checkpoint.load(weights, kind=LanguageModel)
        checkpoint.model.layers.precision = precision
        return cls(checkpoint, from_figures(checkpoint.figures.get("corpus", {})))

    @cached_property
    def index(self) -> Index:
        """The training tunes, to look for copies in."""
        lines: list[str] = self.checkpoint.figures.get("training", [])
        return Index([line.split(" ")[2:] for line in lines])

    def compose(
        self,
        count: int = 1,
        temperature: float = 0.9,
        seed: int = 0,
        meter: str | None = None,
        mode: str | None = None,
        start: str | None = None,
    ) -> list[Tune]:
        """Compose `count` tunes; the same seed gives the same tunes.

        What the model draws that spells no tune is drawn again, from the next seed.

        Args:
            count: how many tunes.
            temperature: below 1 tamer, above 1 wilder.
            seed: from 0 on.
            meter: as in `6/8`; any that it learnt if None.
            mode: `maj`, `min`, `dor`, `mix`, ...; any that it learnt if None.
            start: notes in ABC, on a root of C and in eighths, to go on from.

        Raises:
            TuneError: a meter, a mode or a note that the model never met, a start that is not
                ABC, or nothing that spells a tune in twenty tries.
            SequenceError: a temperature or seed out of range.
        """
        head = [self._choice("M:", meter, "meter"), self._choice("K:C", mode, "mode")]
        opening = head + [[n] for n in self._start(start, meter or "4/4", mode or "maj")]
        sampling = Sampling(temperature=temperature, max_length=_LONGEST)
        tunes: list[Tune] = []
        for number in range(count):
            tunes.append(self._one(seed + number * _TRIES, opening, sampling, seed + number))
        return tunes

    def _one(self, seed: int, opening: list[list[int]], sampling: Sampling, name: int) -> Tune:
        for attempt in range(_TRIES):
            (ids,) = generate(
                self.checkpoint.model, [seed + attempt], opening=opening, sampling=sampling
            )
            tokens = tuple(self.checkpoint.vocabulary.decode(ids))
            meter = tokens[0].removeprefix("M:")
            tune = Tune(tokens, title=f"Tune {name}", rhythm=guess_rhythm(meter))
            if len(ids) < sampling.max_length and spells_a_tune(tune):
                return tune
        raise TuneError(
            f"None of {_TRIES} tries spelt a tune; train longer, or lower the temperature."
        )

    def _choice(self, prefix: str, wanted: str | None, what: str) -> list[int]:
        """The ids that may stand for a meter or a mode."""
        known = [t for t in self.checkpoint.vocabulary.tokens if t.startswith(prefix)]
        if wanted is not None and prefix + wanted not in known:
            names = ", ".join(token.removeprefix(prefix) for token in known)
            raise TuneError(f"The model knows no {what} {wanted!r}; it learnt {names}.")
        chosen = known if wanted is None else [prefix + wanted]
        return [self.checkpoint.vocabulary.encode([token])[0] for token in chosen]

    def _start(self, notes: str | None, meter: str, mode: str) -> list[int]:
        if not notes:
            return []
        key = mode if mode in MODES else "maj"
        text = f"X:1\nT:start\nM:{meter}\nL:1/8\nK:C{key}\n{notes}\n"
        try:
            tokens = from_abc(abc.blocks(text, "the start")[0]).tokens[2:]
        except BadMusic as error:
            raise TuneError(f"The start {notes!r} is not notes in ABC: {error}.") from None
        tokens = tokens if notes.rstrip().endswith(("|", ":")) else tokens[:-1]
        strange = [token for token in tokens if token not in self.checkpoint.vocabulary]
        if strange:
            raise TuneError(f"The model never met {strange[0]!r} of the start; use other notes.")
        return self.checkpoint.vocabulary.encode(tokens)


def write(tunes: Sequence[Tune], out: Path) -> list[Path]:
    """Write one ABC file of all tunes and a MIDI file of each; returns their paths.

    Raises:
        OSError: the folder cannot be made or written to.
        MissingExtra: the library mido is not installed.
    """
    name = "-".join(tunes[0].title.lower().split())
    contents: dict[Path, Any] = {}
    text = "\n".join(tune.abc(number=number) for number, tune in enumerate(tunes, 1))
    contents[out / f"{name}.abc"] = text.encode()
    for tune in tunes:
        contents[out / f"{'-'.join(tune.title.lower().split())}.mid"] = midi.to_midi(tune)
    for path, content in contents.items():
        write_whole(path, content)
    return list(contents)
