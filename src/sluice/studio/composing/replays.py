"""Tunes composed once more for the glass box."""

from __future__ import annotations

from sluice.studio.composing.models import LoadedModel
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.glass.replay import replay_tune
from sluice.tunes.theory.dances import LEARNT_AS, normalise_dance


def make_replay(
    model: LoadedModel, tokens: list[str], rhythm: str, options: ComposingOptions | None
) -> bytes:
    """The file of the glass box for a tune.

    Args:
        model: that composed it.
        tokens: those of the tune.
        rhythm: its dance.
        options: what it was composed for; they say what the grammar forbade. None, or those of an
            edit, where it was not drawn at once.

    Raises:
        SluiceError: tokens that the model does not know, or that are no tune.
    """
    spelling = model.composer.sampler.spelling
    dance = normalise_dance(rhythm)
    dance = dance if dance in spelling.dances else LEARNT_AS.get(dance, dance)
    spelt = spelling.encode(tokens, dance)
    if options is None or options.kind != "compose":
        return replay_tune(model.composer, spelt)
    request = model.stream(options).request
    return replay_tune(model.composer, spelt, request, options.seed)
