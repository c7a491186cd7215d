import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from sluice.cli import app
from sluice.sequence import Checkpoint, load_data, make_task
from sluice.sequence.search.storage import open_study

pytest.importorskip("optuna")
QUICK = ("--steps", 3, "--layers", 1, "--batch", 4, "--seq-len", 10)
SPACE = ("--tune", "hidden=4,8", "--tune", "learning-rate=0.001..0.1:log")


@pytest.fixture
def poem(tmp_path: Path) -> Path:
    path = tmp_path / "poem.txt"
    path.write_text("the cat sat on the mat\n" * 30)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["search", *map(str, arguments)])


def refused(*arguments: object) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
    return result.stderr


def read_trials(out: Path) -> list[dict[str, str]]:
    with (out / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_best_model_is_kept_and_the_search_goes_on(poem: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run(poem, *QUICK, *SPACE, "--trials", 2, "--no-prune", "--out", out)
    assert first.exit_code == 0, first.output
    more = run(poem, *QUICK, *SPACE, "--trials", 4, "--no-prune", "--out", out)
    assert more.exit_code == 0, more.output
    assert [line.split()[1] for line in more.output.splitlines() if line.startswith("trial ")] == [
        "2",
        "3",
    ]
    rows = read_trials(out)
    assert [row["status"] for row in rows] == ["complete"] * 4
    best = min(rows, key=lambda row: float(row["validation_loss"]))
    model = Checkpoint.load(out / "model.safetensors")
    assert model.metadata["trial"] == int(best["trial"])
    assert model.model.config.hidden_size == int(best["hidden"])
    task = make_task(load_data(poem), batch_size=4, seq_len=10, hidden_size=4, num_layers=1)
    total, items, state = 0.0, 0, None
    with torch.no_grad():
        for batch in task.validation.batches(0):
            loss, state = model.model.loss(batch, state)
            total, items = total + float(loss.total), items + loss.items
    assert total / items == pytest.approx(float(best["validation_loss"]), abs=1e-4)
    assert f"--hidden {best['hidden']}" in more.output
    assert "--batch 4" in more.output


def test_a_table_is_searched_with_the_settings_that_it_has(tmp_path: Path) -> None:
    table = tmp_path / "level.csv"
    table.write_text("level\n" + "\n".join(str(step % 7) for step in range(80)))
    out = tmp_path / "out"
    asked: tuple[object, ...] = (
        table, "--horizon", 2, "--steps", 2, "--trials", 2, "--tune", "seq-len=8,16",
        "--tune", "cell=gru,lstm", "--hidden", 4, "--layers", 1, "--out", out,
    )  # fmt: skip
    # Losses are in units of the errors of the linear part, which would read 6 and 12 values.
    assert "here 6 and 12), and losses are in units of its errors" in refused(*asked)
    result = run(*asked, "--linear-lags", 6)
    assert result.exit_code == 0, result.output
    assert {row["cell"] for row in read_trials(out)} <= {"gru", "lstm"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--tune", "width=1,2"), "with NAME one of hidden, layers, batch, seq-len, dropout"),
        (("--tune", "hidden=0..8"), "--hidden must be an integer of at least 1"),
        (("--tune", "dropout=0..1.5"), "dropout"),
        (("--tune", "cell=lstm,nothing"), "nothing"),
        (("--tune", "hidden=4,8", "--hidden", 4), "--hidden gives one value"),
        (("--target", "level"), "--target does not apply to text"),
        (("--from", "shipped"), "--from keeps the sizes"),
        (("--storage", "nowhere://x"), "cannot be opened"),
        (("--steps", 3, "--epochs", 1), "--"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    options: tuple[object, ...], message: str, poem: Path, tmp_path: Path
) -> None:
    assert message in refused(poem, *options, "--out", tmp_path / "out")
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_options_that_a_kind_of_data_lacks_are_refused(tmp_path: Path) -> None:
    piece = {"train": [[[60, 64]] * 9] * 9, "valid": [[[60]] * 9] * 3, "test": [[[60]] * 9] * 2}
    rolls = tmp_path / "rolls.json"
    rolls.write_text(json.dumps(piece))
    said = refused(rolls, "--tune", "seq-len=5,9", "--out", tmp_path / "out")
    assert "--tune --seq-len does not apply to piano rolls" in said


def test_another_search_and_a_training_keep_their_folder(poem: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(poem, *QUICK, *SPACE, "--trials", 1, "--out", out).exit_code == 0
    said = refused(poem, *QUICK, "--tune", "hidden=4,9", "--trials", 1, "--out", out)
    assert "holds a search of poem.txt: hidden=4,8" in said
    trained = tmp_path / "trained"
    trained.mkdir()
    (trained / "training.json").write_text("{}")
    assert "is the folder of a training" in refused(poem, *QUICK, "--out", trained)


@pytest.mark.exhaustive
def test_processes_share_a_search_that_ends_cleanly(poem: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [
        *(sys.executable, "-m", "sluice", "search", str(poem), *map(str, QUICK), *SPACE),
        *("--trials", "100000", "--processes", "2", "--no-prune", "--out", str(out)),
    ]
    searching = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    end = time.monotonic() + 120
    while not (out / "search.journal").exists() or len(_list_workers(out)) < 2:
        assert time.monotonic() < end
        time.sleep(0.2)
    searching.send_signal(signal.SIGTERM)
    said, _ = searching.communicate(timeout=120)
    assert searching.returncode == 0
    assert "of 100000 trials have ended; to go on, give the same command" in said
    study = open_study(None, str(out / "search.journal"), prune=False, space=_read_space(out))
    assert not [trial for trial in study.trials if trial.state.name == "RUNNING"]
    assert len({row["worker"] for row in read_trials(out)}) == 2


def _list_workers(out: Path) -> set[str]:
    ended = [trial for trial in _read_study(out).trials if trial.state.name == "COMPLETE"]
    return {trial.user_attrs["worker"]["name"] for trial in ended}


def _read_space(out: Path) -> str:
    return str(_read_study(out).user_attrs["space"])


def _read_study(out: Path):  # type: ignore[no-untyped-def]
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(out / "search.journal")))
    try:
        return optuna.load_study(study_name="search", storage=storage)
    except KeyError:
        return optuna.create_study()
