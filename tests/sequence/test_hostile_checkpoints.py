"""Model files that were made to harm: each is refused in a sentence, soon, and in little memory."""

from __future__ import annotations

import copy
import json
import random
import resource
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import sluice
from sluice.sequence import (
    Checkpoint,
    CheckpointError,
    LanguageModel,
    LanguageModelConfig,
    Vocabulary,
)
from sluice.sequence.errors import SequenceError

TEXT = """sluice graph 2
cell Small
state h hidden 0.0
stack ih input 1 1 a:hidden
stack hh hidden 1 1 a:hidden
vector v hidden None
norm n 1e-05 hidden
0 input x input
1 affine ih a hidden 0
2 state h hidden
3 affine hh a hidden 2
4 apply add hidden 1 3
5 rownorm n 0 hidden 4
6 vector v hidden
7 apply multiply hidden 5 6
output h 7
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    config = LanguageModelConfig(
        8, cell=TEXT, embedding_size=8, hidden_size=8, num_layers=1, dropout=0.0
    )
    Checkpoint(LanguageModel(config), Vocabulary(tuple("abcde"), "characters")).save(path)
    return path


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """Twelve gigabytes of addresses: what asks for more is refused by the system."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the header of a safetensors file."""
    whole = path.read_bytes()
    (size,) = struct.unpack("<Q", whole[:8])
    header = json.loads(whole[8 : 8 + size])
    change(header)
    written = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(written)) + written + whole[8 + size :])


def configure(path: Path, **changes: Any) -> None:
    """Change what the file says of its model's configuration."""

    def change(header: dict[str, Any]) -> None:
        config = json.loads(header["__metadata__"]["config"])
        header["__metadata__"]["config"] = json.dumps({**config, **changes})

    rewrite(path, change)


def refusal(path: Path) -> str:
    start = time.monotonic()
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.load(path)
    assert time.monotonic() - start < 60
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (dict(hidden_size=100_000), r"expected layers.bias_hh_l0 of shape \(100000,\), got \(8,\)"),
        (dict(hidden_size=10**12), "damaged"),
        (dict(hidden_size=10**40), "damaged"),
        (dict(vocabulary_size=10**8), "needs|shape"),
        (dict(num_layers=100_000), "num_layers must be at most 1,000"),
        (dict(num_layers=10**15), "num_layers must be at most 1,000"),
        (dict(hidden_size=-1), "at least 1"),
        (dict(hidden_size="8"), "must be an integer"),
        (dict(dropout="0"), "must be in"),
        (dict(cell=3), "cell must be one of"),
        (dict(cell=None), "cell must be one of"),
        (dict(zoneout=[1]), "damaged"),
        (dict(colour=1), "colour"),
    ],
)
def test_what_the_configuration_claims_is_not_believed(
    path: Path, changes: dict[str, Any], why: str
) -> None:
    import re

    configure(path, **changes)
    assert re.search(why, refusal(path))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("0 input x input", "0 input x hidden", "input 'x' must have width input"),
        ("vector v hidden", "vector v hidden/8", "vector 'v' must have width hidden/8"),
        ("norm n 1e-05 hidden", "norm n 1e-05 input", "must have width input, got hidden"),
        ("stack hh hidden 1", "stack hh hidden 0", "heads must be at least 1"),
        ("stack hh hidden 1", "stack hh hidden 3", "heads"),
        ("state h hidden 0.0", "state h", "expected 3 words"),
        ("cell Small", "cell", "expected 1 words"),
        ("graph 2", "graph 9", "first line"),
        ("output h 7", "output h 99", "before it is computed"),
    ],
)
def test_the_text_of_a_cell_is_not_believed(path: Path, old: str, new: str, why: str) -> None:
    configure(path, cell=TEXT.replace(old, new, 1))
    assert why in refusal(path)


@pytest.mark.parametrize("field", ["figures", "config", "labels", "columns", "preprocessing"])
@pytest.mark.parametrize("value", ["[" * 100_000, "3", "null", "{", '[["x"]]', '{"a": NaN}'])
def test_metadata_of_another_kind(path: Path, field: str, value: str) -> None:
    rewrite(path, lambda header: header["__metadata__"].update({field: value}))
    try:
        held = Checkpoint.load(path)
    except SequenceError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(held.metadata, dict)


def test_weights_of_another_dtype(path: Path) -> None:
    def change(header: dict[str, Any]) -> None:
        name = next(name for name in header if name.endswith("weight_hh_l0"))
        header[name]["dtype"] = "I32"

    rewrite(path, change)
    assert "got torch.int32" in refusal(path)


def test_int8_vectors_do_not_grow(path: Path) -> None:
    """A vector of integers with scales would become a square."""
    from safetensors.torch import load_file, save_file

    weights = load_file(path)
    name = next(name for name in weights if name.endswith("bias_hh_l0"))
    weights[name] = torch.zeros(8, dtype=torch.int8)
    weights[f"scales of {name}"] = torch.ones(8)
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(weights, path, metadata)
    assert "scales" in refusal(path)


def test_any_change_of_the_metadata_is_refused_or_runs(path: Path) -> None:
    """Bytes and words of the metadata, changed at random: no other error, no hang."""
    whole, draw = path.read_bytes(), random.Random(5)
    (size,) = struct.unpack("<Q", whole[:8])
    held = json.loads(whole[8 : 8 + size])["__metadata__"]
    pieces = ["0", "-1", "null", "1e9", "[]", '"', "{}", "999999999", "true", "\\u0000", "", ","]
    loaded = 0
    for _ in range(150):
        changed = copy.deepcopy(held)
        field = draw.choice([k for k in held if k not in ("format", "format_version", "kind")])
        text = changed[field]
        first = draw.randrange(len(text) + 1)
        last = min(len(text), first + draw.randrange(6))
        changed[field] = text[:first] + draw.choice(pieces) + text[last:]
        path.write_bytes(whole)
        rewrite(path, lambda header, new=changed: header.update(__metadata__=new))
        try:
            model = sluice.load_checkpoint(path).model
        except SequenceError:
            continue
        loaded += 1
        assert torch.isfinite(model(torch.tensor([[1, 3]]))[0]).all()
    assert loaded > 5


def _edit(place: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Change one entry of the first tensor."""

    def change(header: dict[str, Any]) -> None:
        header[next(name for name in header if name != "__metadata__")][place] = value

    return change


def _swap_offsets(header: dict[str, Any]) -> None:
    one, other, *_ = (name for name in header if name != "__metadata__")
    offsets = "data_offsets"
    header[one][offsets], header[other][offsets] = header[other][offsets], header[one][offsets]


@pytest.mark.parametrize(
    "change",
    [
        _edit("shape", [10**12]),
        _edit("shape", [2**62, 4]),
        _edit("shape", [-8]),
        _edit("shape", []),
        _edit("shape", "8"),
        _edit("shape", None),
        _edit("dtype", "F64"),
        _edit("dtype", "F4000"),
        _edit("dtype", 32),
        _edit("data_offsets", [0, 10**15]),
        _edit("data_offsets", [32, 0]),
        _edit("data_offsets", [-4, 28]),
        _edit("data_offsets", [0]),
        _edit("data_offsets", [0, 2**64]),
        _swap_offsets,
        lambda header: header.clear(),
        lambda header: header.pop(next(name for name in header if name != "__metadata__")),
        lambda header: header.update({"more": header[list(header)[-1]]}),
        lambda header: header.update(__metadata__=[]),
        lambda header: header.pop("__metadata__"),
    ],
)
def test_a_header_that_does_not_fit_its_file(
    path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    rewrite(path, change)
    refusal(path)


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**40, 2**63, 2**64 - 1])
def test_a_length_that_does_not_fit_the_header(path: Path, size: int) -> None:
    path.write_bytes(struct.pack("<Q", size) + path.read_bytes()[8:])
    refusal(path)


@pytest.mark.parametrize("kept", [0, 7, 8, 9, 100, -1])
def test_a_file_that_was_cut_or_doubled(path: Path, kept: int) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    refusal(path)
    path.write_bytes(whole + whole)
    refusal(path)
