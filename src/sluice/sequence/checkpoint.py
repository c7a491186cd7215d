"""A trained model in one safetensors file: weights, configuration, vocabulary, figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sluice.files import write_whole
from sluice.sequence.errors import CheckpointError
from sluice.sequence.model import LanguageModel, ModelConfig
from sluice.sequence.vocabulary import Vocabulary

_FORMAT = "sluice language model 1"


@dataclass(frozen=True)
class Checkpoint:
    """What a file of weights holds; `figures` is any JSON that was saved along with it.

    Raises:
        CheckpointError: the vocabulary's size is not the one the model was built for.
    """

    model: LanguageModel
    vocabulary: Vocabulary
    figures: Mapping[str, Any]

    def __post_init__(self) -> None:
        size = self.model.config.vocabulary_size
        if len(self.vocabulary) != size:
            raise CheckpointError(
                f"The model tells {size} tokens apart, but the vocabulary has "
                f"{len(self.vocabulary)}; they must come from the same training."
            )

    def save(self, path: Path) -> None:
        """Write everything to `path`, whole or not at all.

        Raises:
            OSError: the folder cannot be made or written to.
        """
        metadata = {
            "format": _FORMAT,
            "config": json.dumps(asdict(self.model.config)),
            "vocabulary": self.vocabulary.to_json(),
            "figures": json.dumps(dict(self.figures)),
        }
        weights = {name: tensor.contiguous() for name, tensor in self.model.state_dict().items()}
        write_whole(path, save(weights, metadata))

    @classmethod
    def load(cls, path: Path, *, vocabulary: Vocabulary | None = None) -> Checkpoint:
        """Read what `save` wrote; the model comes back in evaluation mode, on the CPU.

        Args:
            path: the file.
            vocabulary: the one that the caller's data needs, where it must be the same.

        Raises:
            CheckpointError: no such file, truncated, not safetensors, not a language model of
                Sluice, weights that do not fit its own configuration, or another vocabulary.
        """
        weights, metadata = _read(path)
        if metadata.get("format") != _FORMAT:
            raise CheckpointError(
                f"{path} is a safetensors file, but not a language model that Sluice saved."
            )
        try:
            config = ModelConfig(**json.loads(metadata["config"]))
            known = Vocabulary.from_json(metadata["vocabulary"])
            figures = json.loads(metadata["figures"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"The description inside {path} is damaged: {error}") from None
        _require_same(vocabulary, known, path)
        return cls(_filled(LanguageModel(config), weights, path), known, figures)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise CheckpointError(f"There is no file of weights at {path}; train first.")
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return weights, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a complete safetensors file ({error}); copy it anew, or train again."
        ) from None


def _require_same(wanted: Vocabulary | None, known: Vocabulary, path: Path) -> None:
    if wanted is None or wanted == known:
        return
    strange = sorted(set(wanted.tokens) - set(known.tokens))
    detail = f"{strange[0]!r} is unknown to the weights" if strange else "the weights know more"
    raise CheckpointError(
        f"The vocabularies of {path} ({len(known.tokens)} tokens) and of the data "
        f"({len(wanted.tokens)}) differ, {detail}; train on this data instead."
    )


def _filled(model: LanguageModel, weights: dict[str, Tensor], path: Path) -> LanguageModel:
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise CheckpointError(
                f"{path} does not fit its own configuration: {name} should have the shape "
                f"{expected.get(name, 'none')}, but has {found.get(name, 'none')}; train again."
            )
    model.load_state_dict(weights)
    return model.eval()
