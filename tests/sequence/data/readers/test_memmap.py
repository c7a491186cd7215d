import signal
import subprocess
import sys
import threading
from pathlib import Path

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
