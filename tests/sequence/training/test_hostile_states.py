"""States of trainings that were made to harm: each goes on, or is refused in a sentence."""

from __future__ import annotations

import hashlib
import json
import random
import resource
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sluice.errors import SluiceError
from sluice.sequence import (
    CheckpointError,
    LanguageModel,
    LanguageModelConfig,
    StreamBatches,
    TrainingConfig,
    train,
)
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.targets import NextToken
from sluice.sequence.training.state_files import CheckpointFolder, decode_state, encode_state

HEAD = len(b"sluice training 2\n") + 32
IDS = RaggedArray.of([[3 + (k * k) % 7 for k in range(90)] for _ in range(2)])


def run(folder: Path, steps: int, *, cell: str = "gru", resume: bool = True) -> int:
    torch.manual_seed(0)
    config = LanguageModelConfig(10, cell, embedding_size=4, hidden_size=6, num_layers=2)
    data = StreamBatches(NextToken(IDS), 2, 8, 0)
    plan = TrainingConfig(steps=steps, validations=1, bptt=(4, 6), ema_decay=0.9)
    result = train(LanguageModel(config), data, data, plan, folder=folder, resume=resume)
    return result.steps


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    run(folder, 3, resume=False)
    (path,) = CheckpointFolder(folder).list_files()[:1]
    return path.read_bytes()


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


def resume_from(folder: Path, content: bytes, steps: int = 4) -> int:
    """Go on from a content with the right checksum; the number of steps."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*"):
        old.unlink()
    content = content[: HEAD - 32] + hashlib.sha256(content[HEAD:]).digest() + content[HEAD:]
    (folder / f"last-{3:012}.state").write_bytes(content)
    return run(folder, steps)


def mutate(content: bytes, draw: random.Random) -> bytes:
    """Bytes of the body flipped, cut or doubled, mostly in its header."""
    (size,) = struct.unpack("<Q", content[HEAD : HEAD + 8])
    end = len(content) if draw.random() < 0.2 else HEAD + 8 + size
    first = draw.randrange(HEAD, end)
    last = min(end, first + draw.choice((1, 2, 9, 60)))
    kind = draw.randrange(4)
    if kind == 0:
        return content[:first] + content[last:]
    if kind == 1:
        return content[:last] + content[first:]
    if kind == 2:
        return content[: first + 1]
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 3))):
        place = draw.randrange(HEAD, end)
        changed[place] = draw.choice((0x30, 0x39, 0x2D, 0xFF, draw.randrange(256)))
    return bytes(changed)


def test_changed_bytes_are_refused_or_go_on(whole: bytes, tmp_path: Path) -> None:
    draw, refused = random.Random(3), 0
    for _ in range(60):
        try:
            assert resume_from(tmp_path / "run", mutate(whole, draw)) in range(3, 6)
        except SluiceError as error:
            assert "\n" not in str(error) and len(str(error)) < 1000
            refused += 1
    assert 12 < refused < 60


def edit(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Change a state as it is held in memory."""
    state: Any = decode_state(content)
    change(state)
    return encode_state(state)


def with_history(change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def apply(state: dict[str, Any]) -> None:
        (rank,) = state["ranks"]
        rank["history"] = change(rank["history"])

    return apply


def map_state(history: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    state, past = history
    return tuple(map(change, state)) if isinstance(state, tuple) else change(state), past


def set_trainer(**values: object) -> Callable[[dict[str, Any]], None]:
    return lambda state: state["trainer"].update(values)


@pytest.mark.parametrize(
    "change",
    [
        with_history(lambda old: map_state(old, lambda t: t[..., :-1])),
        with_history(lambda old: map_state(old, lambda t: t[:, :1])),
        with_history(lambda old: map_state(old, lambda t: t.long())),
        with_history(lambda old: map_state(old, lambda t: t[:1])),
        with_history(lambda old: (3, old[1])),
        with_history(lambda old: (old[0], [((p[0][0] + 90, *p[0][1:]), p[1]) for p in old[1]])),
        with_history(lambda old: (old[0], [((p[0][0][:, :1], *p[0][1:]), p[1]) for p in old[1]])),
        with_history(lambda old: (old[0], [(3, 4)])),
        set_trainer(epoch=10**40),
        set_trainer(batch=-3),
        set_trainer(batch=10**9),
        set_trainer(chunk=-1),
        set_trainer(steps=-5),
        set_trainer(tokens="many"),
        set_trainer(validations=-(10**6)),
        set_trainer(seconds=float("nan")),
        set_trainer(stop_reason="whim"),
        lambda state: state["ranks"][0].update(cpu=torch.zeros(3, dtype=torch.uint8)),
        lambda state: state["shared"]["optimizer"].update(param_groups=[]),
        lambda state: state["best"].popitem(),
        lambda state: state["shared"].update(average={"count": 1, "values": []}),
        lambda state: state["shared"].update(average={"count": -1, "values": [torch.ones(1)] * 9}),
    ],
)
def test_what_a_state_says_is_not_believed(
    change: Callable[[dict[str, Any]], None], whole: bytes, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError) as caught:
        resume_from(tmp_path / "run", edit(whole, change))
    assert "\n" not in str(caught.value)


def test_sizes_in_the_header_are_not_believed(whole: bytes, tmp_path: Path) -> None:
    (size,) = struct.unpack("<Q", whole[HEAD : HEAD + 8])
    header = json.loads(whole[HEAD + 8 : HEAD + 8 + size])
    name = next(one for one in header if one != "__metadata__")
    for field, value in (("shape", [10**12]), ("dtype", "F64"), ("data_offsets", [0, 10**15])):
        changed = {**header, name: {**header[name], field: value}}
        written = json.dumps(changed).encode()
        body = struct.pack("<Q", len(written)) + written + whole[HEAD + 8 + size :]
        with pytest.raises(CheckpointError):
            resume_from(tmp_path / "run", whole[:HEAD] + body)
    for claimed in (0, 1, 2**40, 2**64 - 1):
        with pytest.raises(CheckpointError):
            claim = struct.pack("<Q", claimed)
            resume_from(tmp_path / "run", whole[:HEAD] + claim + whole[HEAD + 8 :])


def test_the_state_of_another_cell_is_refused(whole: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / f"last-{3:012}.state").write_bytes(whole)
    with pytest.raises(CheckpointError, match="another model"):
        run(folder, 4, cell="lstm")
    with pytest.raises(CheckpointError, match="another model"):
        run(folder, 4, cell="elman")
