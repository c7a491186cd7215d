"""The models that a composing process holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from sluice.cached import cached_property
from sluice.errors import SluiceError
from sluice.sequence import GenerationServer
from sluice.sequence.generation.packed_model import PackedLanguageModel
from sluice.studio.composing.model_info import ModelInfo, UnknownModelError, read_card
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.errors import StudioError
from sluice.tunes.composition.bar_selection import clear_bars, keep_bars
from sluice.tunes.composition.composer import Composer
from sluice.tunes.composition.inputs import find_checkpoint
from sluice.tunes.composition.live import TuneStream
from sluice.tunes.composition.monitor import ProgressCallback, StopCallback
from sluice.tunes.composition.transposition import PLAYABLE
from sluice.tunes.tune import Tune

_PARTS = ("dance", "meter", "key", "mode", "start")
"""Options that a model may not know, each or together; those that say more come last."""
_KEYS = ("C", "G", "D", "A", "E", "B", "F", "Bb", "Eb")


@dataclass(frozen=True)
class LoadedModel:
    """A model with the batch that all of its tunes share.

    Attributes:
        info: what is told of it.
        composer: composes with it.
        server: of its batch.
        packed: its weights, which nobody changes.
    """

    info: ModelInfo
    composer: Composer
    server: GenerationServer
    packed: PackedLanguageModel

    @classmethod
    def load(cls, path: Path, max_running: int) -> LoadedModel:
        """Read a model file, and the card beside it.

        Raises:
            SluiceError: it is no model of tunes.
        """
        composer = Composer.load(path)
        model = composer.checkpoint.model.requires_grad_(False)
        packed = PackedLanguageModel(model, may_change=False)
        server = GenerationServer(model, max_running, max_waiting=4 * max_running)
        name, card = read_card(path)
        return cls(_describe(composer, name, card), composer, server, packed)

    def stream(self, options: ComposingOptions, deadline: float | None = None) -> TuneStream:
        """The tune of `Composer.compose`, live.

        Raises:
            StudioError: an option that the model refuses, with its field.
        """
        try:
            return self._begin_stream(options, deadline)
        except SluiceError as error:
            self._refuse(options, error)

    def _begin_stream(self, options: ComposingOptions, deadline: float | None) -> TuneStream:
        return self.composer.stream(
            seed=options.seed,
            temperature=options.temperature,
            dance=options.dance,
            meter=options.meter,
            key=options.key,
            mode=options.mode,
            prompt=options.start,
            form=options.form,
            title=options.title,
            chords=options.chords,
            server=self.server,
            deadline=deadline,
        )

    def _refuse(self, options: ComposingOptions, error: SluiceError) -> NoReturn:
        """Find the option that is to blame: one refused alone, or without which others pass."""
        given = [name for name in _PARTS if getattr(options, name) is not None]
        for name in given:
            if alone := self._find_error(options, {name}):
                raise StudioError(_write_sentence(alone), name) from error
        for name in reversed(given):
            if not self._find_error(options, {*given} - {name}):
                raise StudioError(_write_sentence(error), name) from error
        raise StudioError(_write_sentence(error)) from error

    def _find_error(self, options: ComposingOptions, names: set[str]) -> SluiceError | None:
        kept = {name: getattr(options, name) for name in names}
        try:
            self._begin_stream(ComposingOptions(seed=options.seed, **kept), None)
        except SluiceError as error:
            return error
        return None

    def edit(
        self,
        options: ComposingOptions,
        on_progress: ProgressCallback | None = None,
        should_stop: StopCallback | None = None,
    ) -> Tune:
        """What `Composer.extend`, `fill` or `vary` makes of the source.

        Raises:
            SluiceError: it cannot be done, or is stopped.
        """
        tune = _prepare(options)
        wishes: dict[str, Any] = {"temperature": options.temperature, "seed": options.seed}
        wishes |= {"on_progress": on_progress, "should_stop": should_stop}
        if options.kind == "vary":
            bars = options.bars or None
            return self.composer.vary(tune, options.strength, bars=bars, **wishes)
        return (self.composer.fill if options.kind == "fill" else self.composer.extend)(
            tune, **wishes
        )

    def check(self, options: ComposingOptions) -> ComposingOptions:
        """The options with the model's fingerprint.

        Raises:
            StudioError: an option that the model refuses, with its field.
        """
        if options.kind == "compose":
            self.stream(options).cancel()
        else:
            self._check_edit(options)
        return ComposingOptions(**{**vars(options), "model": self.info.fingerprint})

    def _check_edit(self, options: ComposingOptions) -> None:
        """Try the edit up to its first token."""

        def stop() -> bool:
            raise _Begun

        try:
            self.edit(options, should_stop=stop)
        except _Begun:
            return
        except SluiceError as error:
            field = "bars" if options.bars else "source"
            raise StudioError(_write_sentence(error), field) from error

    @cached_property
    def keeps_training_tunes(self) -> bool:
        """Whether the file says what it was trained on, so that copies are found."""
        return bool(self.composer.checkpoint.metadata.get("training"))


class _Begun(Exception):
    """An edit has begun, so its options are right."""


def _prepare(options: ComposingOptions) -> Tune:
    """The source as it is edited: bars cleared to be filled, or left out to be continued."""
    tune = options.source_tune
    if options.kind == "fill" and options.bars:
        return clear_bars(tune, options.bars)
    if options.kind == "continue" and options.bars:
        return keep_bars(tune, max(options.bars))
    return tune


def _write_sentence(error: SluiceError) -> str:
    """What the page calls a start is a prompt to the library."""
    text = str(error)
    return f"The start{text.removeprefix('The prompt')}" if text.startswith("The prompt") else text


def _describe(composer: Composer, name: str, card: str) -> ModelInfo:
    heads = composer.heads
    _, meters, modes = ([""], *heads.choose(None, None, None)[-2:])
    names = composer.checkpoint.vocabulary.decode
    found = [mode.removeprefix("K:C") for mode in names(modes)]
    usual = [key for mode in found for key in PLAYABLE.get(mode, ())]
    return ModelInfo(
        fingerprint=composer.fingerprint,
        name=name,
        card=card,
        dances=tuple(heads.list_dances()),
        meters=tuple(meter.removeprefix("M:") for meter in names(meters)),
        modes=tuple(found),
        keys=tuple(dict.fromkeys([*usual, *_KEYS])),
        defaults={"temperature": 0.9, "form": True, "chords": False, "strength": 0.3},
    )


class ModelShelf:
    """All models of a process, by their fingerprints; the first one is taken where none is named.

    Args:
        folder: of `.safetensors` files; the bundled model if None.
        max_running: how many tunes of a model run side by side.

    Raises:
        SluiceError: a file that is no model of tunes, or no file.
    """

    def __init__(self, folder: Path | None, max_running: int) -> None:
        self._models: dict[str, LoadedModel] = {}
        for path in _list_files(folder):
            try:
                loaded = LoadedModel.load(path, max_running)
            except SluiceError as error:
                raise StudioError(f"{path} cannot be used: {error}") from error
            self._models.setdefault(loaded.info.fingerprint, loaded)

    def __iter__(self) -> Iterator[LoadedModel]:
        return iter(self._models.values())

    def find(self, fingerprint: str) -> LoadedModel:
        """The model of this fingerprint, the first one if that is empty.

        Raises:
            UnknownModelError: there is none.
        """
        if not fingerprint:
            return next(iter(self))
        if fingerprint not in self._models:
            raise UnknownModelError(
                "The model of this tune is not among those that compose here; choose another one.",
                "model",
            )
        return self._models[fingerprint]

    def list_infos(self) -> list[dict[str, Any]]:
        """What is told of each, as JSON takes it."""
        return [asdict(model.info) for model in self]

    def close(self) -> None:
        """Stop all batches."""
        for model in self:
            model.server.close()


def _list_files(folder: Path | None) -> list[Path]:
    return [find_checkpoint()] if folder is None else sorted(folder.glob("*.safetensors"))
