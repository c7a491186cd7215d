"""Files with bytes flipped, cut and doubled: read, or refused in a sentence; nothing else."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import symusic

from sluice.errors import SluiceError
from sluice.sequence import Vocabulary, load_data
from sluice.sequence.data.readers.tokenizers import read_tokenizer, train_tokenizer

POEM = "“Tyger Tyger”, burning bright,\nIn the forests of the night – naïve…\n" * 5
TUNE = 'X:1\nT:Cooley\nM:4/4\nL:1/8\nK:Edor\n|:D2|"Em"EBBA B2 EB|B2 AB dBAG:|\n'


def write_midi(path: Path) -> None:
    score = symusic.Score(24)
    notes = [symusic.Note(24 * k, 20, 60 + k % 12, 80) for k in range(12)]
    score.tracks.append(symusic.Track(notes=symusic.core.NoteTickList(notes)))
    score.dump_midi(path)


def write_tokenizer(path: Path) -> None:
    train_tokenizer(POEM.splitlines(), "subwords", 300).save(str(path))


def write_vocabulary(path: Path) -> None:
    path.write_text(Vocabulary(tuple("abc de"), "characters").to_json())


KINDS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "a.txt": (lambda path: path.write_text(POEM), load_data),
    "b.txt": (lambda path: path.write_bytes(POEM.encode("cp1252")), load_data),
    "c.txt": (lambda path: path.write_bytes(POEM.encode("utf-16")), load_data),
    "a.mid": (write_midi, load_data),
    "a.json": (
        lambda path: path.write_text(json.dumps({"train": [[[60, 64], []], [[48]]]})),
        lambda path: load_data(path, kind="rolls"),
    ),
    "a.abc": (lambda path: path.write_text(TUNE), load_data),
    "tokenizer.json": (write_tokenizer, read_tokenizer),
    "vocabulary.json": (
        write_vocabulary,
        lambda path: Vocabulary.from_json(path.read_text(errors="replace")),
    ),
}


def mutate(content: bytes, draw: random.Random) -> bytes:
    """A few bytes flipped, a piece cut or a piece doubled."""
    first = draw.randrange(len(content))
    last = min(len(content), first + draw.choice((1, 2, 9, 60)))
    kind = draw.randrange(4)
    if kind == 0:
        return content[:first] + content[last:]
    if kind == 1:
        return content[:last] + content[first:]
    if kind == 2:
        return content[: first + 1]
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 3, 20))):
        changed[draw.randrange(len(changed))] = draw.choice((0, 0xFF, draw.randrange(256)))
    return bytes(changed)


def count_refused(name: str, folder: Path, rounds: int, seed: int = 0) -> int:
    write, read = KINDS[name]
    path, draw, refused = folder / name, random.Random(seed), 0
    write(path)
    content = path.read_bytes()
    read(path)
    for _ in range(rounds):
        path.write_bytes(mutate(content, draw))
        try:
            read(path)
        except SluiceError as error:
            assert len(str(error)) < 4000 + len(str(path))
            refused += 1
    return refused


@pytest.mark.parametrize("name", KINDS)
def test_mutated_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    assert count_refused(name, tmp_path, 40) > 0


def test_a_few_bytes_of_midi_do_not_become_hours_of_silence(tmp_path: Path) -> None:
    track = b"\xff\xff\xff\x7f\x90\x3c\x40\x01\x80\x3c\x40\x00\xff\x2f\x00"
    head = b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x01MTrk" + len(track).to_bytes(4, "big")
    (tmp_path / "a.mid").write_bytes(head + track)
    with pytest.raises(SluiceError, match=r"damaged MIDI file: a note is .* steps after"):
        load_data(tmp_path / "a.mid")


def test_json_of_many_levels(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 200_000)
    with pytest.raises(SluiceError, match="too many levels"):
        load_data(tmp_path / "a.json", kind="rolls")
    with pytest.raises(SluiceError, match="must be a JSON list of strings"):
        Vocabulary.from_json("[" * 200_000)


@pytest.mark.parametrize("suffix", ["txt", "mid", "json", "abc", "xyz"])
def test_special_files_are_refused(suffix: str, tmp_path: Path) -> None:
    kind = {"json": "rolls"}.get(suffix)
    pipe, empty = tmp_path / f"pipe.{suffix}", tmp_path / f"empty\n.{suffix}"
    loop, zero = tmp_path / f"loop.{suffix}", tmp_path / f"zero.{suffix}"
    nothing = tmp_path / f"nul.{suffix}"
    os.mkfifo(pipe)
    empty.touch()
    loop.symlink_to(loop.name)
    zero.symlink_to("/dev/zero")
    nothing.write_bytes(b"\0" * 5000)
    for path in (pipe, empty, loop, zero, nothing, tmp_path / f"a\0b.{suffix}"):
        with pytest.raises(SluiceError):
            load_data(path, kind=kind)
