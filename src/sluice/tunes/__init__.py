"""Folk music: ABC in and out, corpora, families, scores, sound, and composing.

from sluice import tunes

tune = tunes.compose(seed=3, key="D", meter="6/8")
print(tune.abc())
Path("tune.pdf").write_bytes(tune.pdf())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.files import StrPath

if TYPE_CHECKING:
    from sluice.tunes.composition.composer import Composer
    from sluice.tunes.tune import Tune


def load_composer(checkpoint: StrPath | None = None) -> Composer:
    """The model that composes, goes on from, fills and varies tunes.

    Args:
        checkpoint: what `sluice train tunes` wrote; the model that comes along if None.

    Raises:
        CheckpointError: no such file, or not a language model.
        TuneError: not a model of tunes, or none at hand.
    """
    from sluice.tunes.composition.composer import Composer

    return Composer.load(checkpoint)


def compose(*, seed: int = 0, checkpoint: StrPath | None = None, **options: Any) -> Tune:
    """One new tune, the same for the same seed; `wishes` are those of `Composer.compose`.

    The tune gives its ABC, MIDI, score and sound: `abc()`, `midi()`, `svg()`, `pdf()`, `wav()`,
    `ogg()`. For many tunes call `load` once.

    Raises:
        CheckpointError, TuneError: as `load` and `Composer.compose`.
        SequenceError: a temperature or seed out of range.
    """
    (tune,) = load_composer(checkpoint).compose(seed=seed, **options)
    return tune


def read(path: StrPath) -> Tune:
    """The first tune of a file of ABC.

    Raises:
        TuneError: the file cannot be opened, holds no tune, or its first cannot be read.
    """
    from sluice.tunes.composition.inputs import read_tune

    return read_tune(path)
