import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluice.sequence import DataError, Tokens
from sluice.sequence.data.readers import memmap
from sluice.sequence.data.readers.text import read_text
from sluice.sequence.data.report import LoadProgress


def load(path: Path, cache: Path, seen: list[LoadProgress] | None = None) -> Tokens:
    events = seen if seen is not None else []
    return read_text([path], per="line", cache=cache, on_reading=events.append)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"line {number}\n" for number in range(500)))
    return path


def same(a: Tokens, b: Tokens) -> bool:
    alike = [x.tolist() for x in a.ids] == [y.tolist() for y in b.ids]
    return alike and a.vocabulary == b.vocabulary


def test_an_unchanged_file_is_read_from_the_cache(text: Path, tmp_path: Path) -> None:
    cache = tmp_path / "kept"
    first, seen = load(text, cache), list[LoadProgress]()
    again = load(text, cache, seen)
    assert same(first, again) and same(first, read_text([text], per="line"))
    assert not seen
    assert f"Encoded in {cache}" in again.report()
    other = read_text([text], per="file", cache=cache)
    assert len(other) == 1 and len(list(cache.iterdir())) == 2


def test_a_changed_file_is_encoded_again(text: Path, tmp_path: Path) -> None:
    cache = tmp_path / "kept"
    old = load(text, cache)
    ids = old.ids[0].tolist()
    text.write_text(text.read_text().replace("line 7\n", "LINE 7\n"))
    new = load(text, cache)
    assert new.vocabulary.decode_text(new.ids[7].tolist()) == "LINE 7"
    assert len(list(cache.iterdir())) == 1
    assert old.ids[0].tolist() == ids


KILLED = """
import os, signal, sys
from pathlib import Path
from sluice.sequence.data.readers import encodings
from sluice.sequence.data.readers.text import read_text

encodings.CHUNK_SIZE = 500
def stop(reading):
    if reading.stage == "encoding" and reading.bytes_done > 2000:
        os.kill(os.getpid(), signal.SIGKILL)
read_text([Path(sys.argv[1])], per="line", cache=Path(sys.argv[2]), on_reading=stop)
"""


def test_a_killed_encoding_starts_over(text: Path, tmp_path: Path) -> None:
    cache = tmp_path / "kept"
    process = subprocess.run([sys.executable, "-c", KILLED, text, cache], check=False, timeout=600)
    assert process.returncode == -signal.SIGKILL
    (home,) = cache.iterdir()
    assert (home / "ids.bin").exists() and not (home / "about.json").exists()
    assert same(load(text, cache), read_text([text], per="line"))


@pytest.mark.parametrize("name", ["ids.bin", "ends.bin", "about.json"])
def test_a_damaged_cache_is_not_read(text: Path, tmp_path: Path, name: str) -> None:
    cache = tmp_path / "kept"
    load(text, cache)
    (home,) = cache.iterdir()
    content = (home / name).read_bytes()
    (home / name).write_bytes(content[: len(content) // 2])
    assert same(load(text, cache), read_text([text], per="line"))


def test_of_two_readers_one_waits(text: Path, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    cache, release = tmp_path / "kept", list[Tokens]()
    load(text, cache)
    (home,) = cache.iterdir()
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = threading.Thread(target=lambda: release.append(load(text, cache)))
        other.start()
        other.join(0.2)
        assert not release
    other.join(60)
    assert len(release) == 1


@pytest.mark.parametrize("new", ["other\n", "line 1\n" * 500, "\N{SNOWMAN}"])
def test_a_file_that_changes_during_the_read_is_refused(
    text: Path, tmp_path: Path, new: str
) -> None:
    def change(reading: LoadProgress) -> None:
        text.write_text(new)

    with pytest.raises(DataError, match="changed while it was read"):
        read_text([text], cache=tmp_path / "kept", on_reading=change)


def test_a_folder_that_cannot_be_written(text: Path) -> None:
    with pytest.raises(DataError, match=r"Cannot write encoded tokens.*name another folder"):
        load(text, text)


def test_large_files_are_encoded_to_the_disk(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memmap, "LARGE_BYTES", 1000)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert isinstance(read_text([text]).ids.flat, np.memmap)
    assert [one.name for one in (tmp_path / "xdg").iterdir()] == ["sluice"]


def test_an_edit_that_keeps_size_and_time_is_seen(text: Path, tmp_path: Path) -> None:
    cache = tmp_path / "kept"
    load(text, cache)
    times = (text.stat().st_atime_ns, text.stat().st_mtime_ns)
    text.write_text(text.read_text().replace("line 7\n", "enil 7\n"))
    os.utime(text, ns=times)
    assert same(load(text, cache), read_text([text], per="line"))


def change_ends(content: dict[str, Any], home: Path) -> None:
    ends = np.fromfile(home / "ends.bin", "<i8")
    ends[-1] = 2**62
    ends.tofile(home / "ends.bin")


def change_order(content: dict[str, Any], home: Path) -> None:
    ends = np.fromfile(home / "ends.bin", "<i8")
    ends[[3, 4]] = ends[[4, 3]]
    ends.tofile(home / "ends.bin")


def change_ids(content: dict[str, Any], home: Path) -> None:
    ids = np.fromfile(home / "ids.bin", np.uint8)
    ids[100] = 255
    ids.tofile(home / "ids.bin")


def change_metadata(**new: object) -> Callable[[dict[str, Any], Path], None]:
    return lambda content, home: content["about"].update(new)


@pytest.mark.parametrize(
    "change",
    [
        change_ends,
        change_order,
        change_ids,
        change_metadata(dtype="|O"),
        change_metadata(dtype="<f8"),
        change_metadata(counts={"a.txt": -1}),
        change_metadata(counts={"a.txt": 2**62}),
        change_metadata(vocabulary="[]"),
        change_metadata(vocabulary="[" * 100_000),
        change_metadata(refused=[[1, 2]]),
        change_metadata(notes=None),
    ],
)
def test_a_hostile_cache_with_right_hashes_is_not_believed(
    text: Path, tmp_path: Path, change: Callable[[dict[str, Any], Path], None]
) -> None:
    cache = tmp_path / "kept"
    load(text, cache)
    (home,) = cache.iterdir()
    content = json.loads((home / "about.json").read_text())["content"]
    change(content, home)
    for name in ("ids", "ends"):
        found = hashlib.sha256((home / f"{name}.bin").read_bytes()).hexdigest()
        content["hashes"][name] = found
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    (home / "about.json").write_text(json.dumps({"content": content, "hash": digest}))
    seen: list[LoadProgress] = []
    assert same(load(text, cache, seen), read_text([text], per="line")) and seen
    assert load(text, cache, seen := []) and not seen


@pytest.mark.parametrize("name", ["ids.bin", "ends.bin", "about.json"])
def test_one_flipped_bit_is_seen(text: Path, tmp_path: Path, name: str) -> None:
    cache, draw = tmp_path / "kept", random.Random(0)
    load(text, cache)
    (home,) = cache.iterdir()
    for _ in range(5):
        content = bytearray((home / name).read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        (home / name).write_bytes(content)
        assert same(load(text, cache), read_text([text], per="line"))


def test_pipes_in_a_cache_do_not_hang(text: Path, tmp_path: Path) -> None:
    cache = tmp_path / "kept"
    load(text, cache)
    (home,) = cache.iterdir()
    for name in ("lock", "ids.bin", "about.json"):
        (home / name).unlink()
        os.mkfifo(home / name)
    assert same(load(text, cache), read_text([text], per="line"))


def test_a_cache_in_a_folder_that_cannot_be_written_is_read(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "kept"
    load(text, cache)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    monkeypatch.setattr(Path, "mkdir", None)
    seen: list[LoadProgress] = []
    assert load(text, cache, seen) and not seen


def test_a_full_disk_leaves_nothing(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fill)
    with pytest.raises(
        DataError, match=r"No space left on device; name another folder with cache="
    ):
        load(text, tmp_path / "kept")
    (home,) = (tmp_path / "kept").iterdir()
    assert [one.name for one in home.iterdir()] == ["lock"]


def test_leftovers_of_a_killed_write_are_removed(text: Path, tmp_path: Path) -> None:
    cache = tmp_path / "kept"
    load(text, cache)
    (home,) = cache.iterdir()
    (home / "about.json").unlink()
    (home / ".about.json.x7").write_text("{")
    load(text, cache)
    assert sorted(one.name for one in home.iterdir()) == [
        "about.json", "ends.bin", "ids.bin", "lock",
    ]  # fmt: skip
