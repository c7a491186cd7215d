"""A folder that one process at a time works in."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sluice.folder_lock import LOCK_FILE, FolderInUseError, lock_folder

HOLD = """
import sys, time
from sluice.folder_lock import lock_folder
with lock_folder(sys.argv[1], "search"):
    print("held", flush=True)
    time.sleep(60)
"""


def is_free(folder: Path) -> bool:
    try:
        with lock_folder(folder):
            return True
    except FolderInUseError:
        return False


def test_another_process_is_named_and_its_death_frees_the_folder(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    )
    try:
        assert owner.stdout is not None and owner.stdout.readline() == "held\n"
        with pytest.raises(FolderInUseError) as caught, lock_folder(tmp_path, remedy="go home"):
            pass
        said = str(caught.value)
        assert f"{tmp_path} is in use by a search, process {owner.pid} on " in said
        assert said.endswith("or go home.")
    finally:
        owner.kill()
        owner.communicate()
    assert (tmp_path / LOCK_FILE).exists()  # left behind, and no longer a lock
    assert is_free(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_thread_and_another_name_of_the_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "own")
    found: list[bool] = []
    with lock_folder(tmp_path / "own"):
        thread = threading.Thread(target=lambda: found.append(is_free(tmp_path / "alias")))
        thread.start()
        thread.join()
    assert found == [False] and is_free(tmp_path / "alias")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_is_refused_and_keeps_no_lock(tmp_path: Path) -> None:
    (reading, writing), (answers, answer) = os.pipe(), os.pipe()
    with lock_folder(tmp_path):
        child = os.fork()
        if child == 0:
            os.close(writing)
            refused = not is_free(tmp_path)
            os.write(answer, b".")
            os.read(reading, 1)  # lives on behind the lock's end
            os._exit(7 if refused else 1)
        os.read(answers, 1)
    assert is_free(tmp_path)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def test_a_lock_file_of_no_known_owner_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_bytes(b"\xff\t" * 9)
    with (
        lock_folder(tmp_path),
        pytest.raises(FolderInUseError, match=r"in use by a training"),
        lock_folder(tmp_path),
    ):
        pass
