"""Composers and tunes whose glass boxes are tested."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch

from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Vocabulary
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import Composition
from sluice.studio.config import StudioConfig
from sluice.studio.exports.cache import FileCache
from sluice.studio.glass.replay import replay_tune
from sluice.studio.pages.glass import locate_pack, store_pack
from sluice.tunes.composition.composer import Composer
from sluice.tunes.composition.sampling import TuneRequest
from sluice.tunes.corpus.statistics import TuneStatistics
from sluice.tunes.tune import Tune

NOTES = ("C", "D", "E", "G", "A", "c", "d", "e", "g", "a", "z")
VOCABULARY = Vocabulary(
    ("|", "|:", ":|", "::", "(3", "[", "]", "-", "2", "3", "/2", *NOTES, "M:4/4", "M:6/8", "K:Cmaj")
)
TUNE = ("M:6/8", "K:Cmaj", "|:", "C", "2", "E", "G", "3", "|", "(3", "c", "d", "e", "g", "2", "-")
TUNE = (*TUNE, "g", "2", "|", "[", "c", "e", "]", "3", "z", "3", "|", "C", "2", "E", "G", "3", ":|")


def make_composer(cell: str, **sizes: Any) -> Composer:
    torch.manual_seed(1)
    config = LanguageModelConfig(
        len(VOCABULARY), embedding_size=12, cell=cell, **{"hidden_size": 20, **sizes}
    )
    model = LanguageModel(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)
    return Composer(Checkpoint(model, VOCABULARY), TuneStatistics(0.5, 0.5, 0.5))


@functools.cache
def load_shipped() -> Composer:
    return Composer.load()


def compose(seed: int = 4) -> tuple[tuple[str, ...], TuneRequest]:
    """A tune of the shipped model: its tokens as the model reads them, and what asked for it."""
    composer = load_shipped()
    request = composer.stream(seed=seed, dance="jig").request
    (tune,) = composer.compose(1, seed=seed, dance="jig")
    return composer.sampler.spelling.encode(tune.tokens, tune.rhythm), request


def add_composition(
    config: StudioConfig,
    database: Database,
    code: str,
    composer: Composer,
    tokens: Sequence[str],
    tune: Tune,
    request: TuneRequest | None = None,
    seed: int = 0,
) -> bytes:
    """A finished composition; its file of the glass box, which is returned, is in the cache."""
    options: dict[str, Any] = {"seed": seed}
    row = Composition(
        code=code, model=code, options=options, seed=seed, state="done", title=tune.title,
        tokens=list(tune.tokens), abc=tune.abc(), result={"dance": tune.rhythm},
    )  # fmt: skip
    with database.open_session(write=True) as session:
        session.add(row)
    pack = replay_tune(composer, tokens, request, seed)
    cache = FileCache(config.folder / "cache")
    store_pack(cache, locate_pack(cache, row), pack)
    return pack
