"""A trained model in one safetensors file: weights, configuration, names, metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from sluice._version import __version__
from sluice.files import StrPath, write_atomically
from sluice.sequence.compression import StorageDtype, compress_weights, decompress_weights
from sluice.sequence.errors import CheckpointError
from sluice.sequence.models import KINDS
from sluice.sequence.models.base import SequenceModel
from sluice.sequence.models.model_memory import without_memory
from sluice.sequence.models.shape import ModelConfig
from sluice.sequence.vocabulary import Vocabulary
from sluice.sequence.weights_bytes import encode_weights

_FORMAT, _VERSION = "sluice model", 2
_FORMAT_V1 = "sluice language model 1"
"""The format of the first version, with language models only."""

_DAMAGES = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
"""What comes of a description that is damaged, or made to harm."""

_SIZE_FIELDS = {
    "vocabulary": "vocabulary_size",
    "target_vocabulary": "target_vocabulary_size",
    "labels": "classes",
    "columns": "features",
}
"""Fields that name a model's inputs or outputs, and the matching size in its configuration."""


@dataclass(frozen=True)
class Checkpoint:
    """A model of `sluice.sequence.models`, and what is needed to use it.

    Attributes:
        model: the model.
        vocabulary: the `Vocabulary` of its input tokens; None for a model of values.
        metadata: any JSON, such as metrics and how the model was trained.
        labels: the names of a classifier's or tagger's classes (a tagger's label 1 is the first).
        columns: the names of the values' features.
        target_vocabulary: the `Vocabulary` of the output tokens of a `Seq2Seq`.
        preprocessing: any JSON: how the data was prepared for the model.
        data_fingerprint: the `fingerprint()` of the data that it was trained on; "" if unknown.

    Raises:
        CheckpointError: not as many names as the model needs, or a missing vocabulary.

    >>> import tempfile
    >>> from sluice.sequence import LanguageModel, LanguageModelConfig
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=5, hidden_size=8))
    >>> path = Path(tempfile.mkdtemp()) / "letters.safetensors"
    >>> Checkpoint(model, Vocabulary(("a", "b")), {"loss": 1.5}).save(path, dtype="int8")
    >>> Checkpoint.load(path).metadata
    {'loss': 1.5}
    """

    # The type depends on the file; `load(kind=...)` checks it.
    model: Any
    vocabulary: Vocabulary = None  # type: ignore[assignment]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    _: KW_ONLY
    labels: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    target_vocabulary: Vocabulary | None = None
    preprocessing: Mapping[str, object] = field(default_factory=dict)
    data_fingerprint: str = ""

    def __post_init__(self) -> None:
        for names, size in _SIZE_FIELDS.items():
            given, needed = getattr(self, names), getattr(self.model.config, size, 0)
            optional = names in ("labels", "columns")
            if len(given or ()) != needed and (given or not optional):
                what = names if optional else "tokens"
                raise CheckpointError(
                    f"The model needs {needed} {what}, got {len(given or ())} as {names}; "
                    "both must come from the same training."
                )

    @property
    def loss_unit(self) -> str:
        """The unit of the model's loss per item, such as "nats per character"."""
        unit: str = self.model.loss_unit
        vocabulary = self.target_vocabulary or self.vocabulary
        if unit == "nats per token" and vocabulary is not None:
            return f"nats per {vocabulary.unit.removesuffix('s')}"
        return unit

    def save(self, path: StrPath, dtype: StorageDtype | None = None) -> None:
        """Write everything to `path`, completely or not at all.

        Args:
            path: the file; missing folders are created.
            dtype: ``"float16"`` or ``"int8"`` (with a scale per row) compresses matrices; they are
                loaded as float32, rounded. None stores them exactly.

        Raises:
            CheckpointError: weights that `dtype` cannot represent.
            OSError: the folder cannot be created or written to, or the disk is full.
        """
        metadata = {
            "format": _FORMAT,
            "format_version": str(_VERSION),
            "library_version": __version__,
            "kind": type(self.model).__name__,
            "config": json.dumps(asdict(self.model.config)),
            "labels": json.dumps(self.labels),
            "columns": json.dumps(self.columns),
            "preprocessing": json.dumps(dict(self.preprocessing)),
            "figures": json.dumps(dict(self.metadata)),
            "data_fingerprint": self.data_fingerprint,
        }
        for name in ("vocabulary", "target_vocabulary"):
            if getattr(self, name) is not None:
                metadata[name] = getattr(self, name).to_json()
        weights = compress_weights(self.model.state_dict(), dtype)
        write_atomically(path, encode_weights(weights, metadata))

    @classmethod
    def load(
        cls,
        path: StrPath,
        *,
        vocabulary: Vocabulary | None = None,
        kind: type[SequenceModel] = SequenceModel,
    ) -> Checkpoint:
        """Read what `save` wrote; the model is in evaluation mode, on the CPU.

        Args:
            path: the file.
            vocabulary: the vocabulary of your data, if the file must have the same.
            kind: the class that the model must have.

        Raises:
            CheckpointError: no such file, no permission, a truncated file, not safetensors, not a
                model of Sluice, one of a later version or another kind, weights that do not fit
                the configuration, or another vocabulary.
        """
        path = Path(path)
        weights, metadata = _read(path)
        of = KINDS[_parse_kind(metadata, path)]
        if not issubclass(of, kind):
            raise CheckpointError(
                f"{path} holds a {of.__name__}, expected a {kind.__name__}; give another file."
            )
        try:
            config = of.config_type(**_parse_json(metadata["config"], dict))
            held = _parse_metadata(metadata)
            weights = decompress_weights(weights)
            expected = _describe_weights(of, config)
        except _DAMAGES as error:
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise CheckpointError(f"The metadata of {path} is damaged ({why:.300})") from None
        _require_same_vocabulary(vocabulary, held.get("vocabulary"), path)
        _require_fit(expected, weights, path)
        model = of(config)
        model.load_state_dict(weights)
        return cls(model.eval(), **held)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise CheckpointError(f"There is no file of weights at {path}; train first.")
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return weights, file.metadata() or {}
    except PermissionError:
        raise CheckpointError(f"{path} cannot be read; change its permissions.") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a complete safetensors file ({error}); copy it again, or train again."
        ) from None


def _parse_kind(metadata: Mapping[str, str], path: Path) -> str:
    """The name of the model's class; checks the file format."""
    if metadata.get("format") == _FORMAT_V1:
        return "LanguageModel"
    if metadata.get("format") != _FORMAT:
        raise CheckpointError(f"{path} is a safetensors file, but not a model of Sluice.")
    kind, found = metadata.get("kind", ""), metadata.get("format_version", "")
    if found != str(_VERSION) or kind not in KINDS:
        raise CheckpointError(
            f"{path} holds a {kind or 'model'} in format {found or 'unknown'}, written by Sluice "
            f"{metadata.get('library_version', 'of an unknown version')}; Sluice "
            f"{__version__} reads format {_VERSION}: update it to read this file."
        )
    return kind


def _parse_metadata(metadata: Mapping[str, str]) -> dict[str, Any]:
    """All fields but the model; a file of the first version has fewer."""
    held: dict[str, Any] = {"metadata": _parse_json(metadata["figures"], dict)}
    for name in ("vocabulary", "target_vocabulary"):
        if name in metadata:
            held[name] = Vocabulary.from_json(metadata[name])
    for name in ("labels", "columns"):
        held[name] = tuple(_parse_json(metadata.get(name, "[]"), list))
        if not all(isinstance(each, str) for each in held[name]):
            raise ValueError(f"{name} must be a list of names")
    held["data_fingerprint"] = metadata.get("data_fingerprint", "")
    held["preprocessing"] = _parse_json(metadata.get("preprocessing", "{}"), dict)
    return held


def _parse_json(text: str, kind: type) -> Any:
    found = json.loads(text)
    if not isinstance(found, kind):
        raise ValueError(f"expected a JSON {kind.__name__}, got {text!r:.80}")
    return found


def _describe_weights(of: type[SequenceModel], config: ModelConfig) -> dict[str, Tensor]:
    """The weights that a model of ``config`` has, without memory: sizes are not to be believed."""
    with without_memory():
        return of(config).state_dict()


def _require_same_vocabulary(
    expected: Vocabulary | None, known: Vocabulary | None, path: Path
) -> None:
    if expected is None or expected == known:
        return
    if known is None:
        raise CheckpointError(
            f"{path} holds a model of values, without a vocabulary; got tokens, give values."
        )
    strange = sorted(set(expected.tokens) - set(known.tokens))
    detail = f"the model does not know {strange[0]!r}" if strange else "the model has more"
    raise CheckpointError(
        f"The vocabularies of {path} ({len(known.tokens)} tokens) and of the data "
        f"({len(expected.tokens)}) differ: {detail}; train on this data instead."
    )


def _require_fit(expected: dict[str, Tensor], weights: dict[str, Tensor], path: Path) -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(shapes.keys() | found.keys()):
        if shapes.get(name) != found.get(name):
            raise CheckpointError(
                f"{path} does not fit its own configuration: expected {name} of shape "
                f"{shapes.get(name, 'none')}, got {found.get(name, 'none')}; train again."
            )
        if expected[name].is_floating_point() != weights[name].is_floating_point():
            raise CheckpointError(
                f"{path} does not fit its own configuration: expected {name} as "
                f"{expected[name].dtype}, got {weights[name].dtype}; train again."
            )
