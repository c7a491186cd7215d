"""Folk music: ABC in and out, corpora, families, scores, sound, and composing.

from sluice import tunes

tune = tunes.compose(seed=3, key="D", meter="6/8")
print(tune.abc())
Path("tune.pdf").write_bytes(tune.pdf())
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.files import StrPath
from sluice.tunes.errors import TuneError as TuneError

if TYPE_CHECKING:
    from sluice.tunes.composition.composer import Composer
    from sluice.tunes.tune import Tune


def load_composer(checkpoint: StrPath | None = None) -> Composer:
    """A model that composes, continues, fills and varies tunes.

    Args:
        checkpoint: a file that `sluice train tunes` wrote; the bundled model if None.

    Raises:
        CheckpointError: no such file, or not a language model.
        TuneError: not a model of tunes, or no model is bundled.
    """
    from sluice.tunes.composition.composer import Composer

    return Composer.load(checkpoint)


def compose(
    *,
    seed: int = 0,
    temperature: float = 0.9,
    dance: str | None = None,
    meter: str | None = None,
    key: str | None = None,
    mode: str | None = None,
    prompt: str | None = None,
    form: bool = True,
    title: str | None = None,
    tempo: int | None = None,
    chords: bool = False,
    swing: float | None = None,
    instrument: str = "flute",
    checkpoint: StrPath | None = None,
) -> Tune:
    """Compose a tune; the same seed gives the same tune.

    The tune is written as ABC, MIDI, score and sound by its methods `abc()`, `midi()`, `svg()`,
    `pdf()`, `wav()` and `ogg()`. For many tunes call `load_composer` once.

    Args:
        seed: of the random numbers, from 0.
        temperature: sampling temperature; below 1 safer, above 1 more varied.
        dance: `jig`, `reel`, `slip jig`, `hornpipe`, `waltz`, `polka`, ...: sets meter and tempo.
        meter: as in `6/8`; any from the training data if None.
        key: as in `D`, `Em`, `Ador`; a common one of the mode if None.
        mode: `maj`, `min`, `dor`, `mix`, ...; any from the training data if None.
        prompt: the first notes, in ABC (`sluice.tunes.composition.prompts`); the tune continues
            them. They are in eighths and in `key` (else on a root of C), unless fields in front
            say otherwise, as in `[M:6/8][K:Em] G2 E`. Without a meter it is the commonest whose
            bars they fill. A `*` is any one note or rest.
        form: whether the tune has sections of eight bars, each repeated, in which bars recur by a
            plan. Without it, or where the prompt does not fit, the model alone decides.
        title: a generated one if None.
        tempo: beats per minute; that of the dance if None.
        chords: write chords above the notes and play them along.
        swing: how many times longer the first of two even notes is played than the second,
            from 1 (even) to 4; that of the dance if None. The notation stays even.
        instrument: what plays the melody, `flute` or `fiddle`.
        checkpoint: a file that `sluice train tunes` wrote; the bundled model if None.

    Raises:
        CheckpointError: no such file, or not a language model.
        TuneError: an invalid option, a meter, mode or note that is not in the training data, a
            prompt that is not ABC, or no complete tune in twenty attempts.
        SequenceError: a temperature or seed out of range.

    >>> tune = compose(seed=3, key="D", meter="6/8", prompt="d2 f a3", title="Example")
    >>> tune.key.name, tune.meter, tune.tokens[2:8]
    ('D', '6/8', ('|:', 'c', '2', 'e', 'g', '3'))
    """
    (tune,) = load_composer(checkpoint).compose(
        seed=seed,
        temperature=temperature,
        dance=dance,
        meter=meter,
        key=key,
        mode=mode,
        prompt=prompt,
        form=form,
        title=title,
        tempo=tempo,
        chords=chords,
        swing=swing,
        instrument=instrument,
    )
    return tune


def read_tune(text_or_path: StrPath) -> Tune:
    """The first tune of a text or a file, in ABC or another form that is read.

    The forms are ABC, folk-rnn's tokens, and The Session's JSON and CSV. A string is a path if it
    names a file; else it is text if it has a line break or begins like a field (`X:1`).

    Raises:
        TuneError: the file cannot be opened, there is no tune, or the first cannot be read.

    >>> read_tune("X:1\\nT:Example\\nM:6/8\\nL:1/8\\nQ:3/8=70\\nK:G\\nGAB c2d|").tempo
    70
    """
    from sluice.tunes.composition.inputs import read_tune

    return read_tune(text_or_path)


def read_tunes(text_or_path: StrPath) -> list[Tune]:
    """All tunes of a text or a file, as `read_tune` reads the first.

    `sluice.tunes.corpus.collections.load_collections` reads folders, and leaves out what cannot be
    read.

    Raises:
        TuneError: the file cannot be opened, there is no tune, or one of them cannot be read.
    """
    from sluice.tunes.composition.inputs import read_tunes

    return read_tunes(text_or_path)
