"""Every function that takes a path takes a string as well."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import sluice
from sluice import chorales, tunes
from sluice.files import to_paths
from sluice.insight import load_recording
from sluice.insight.sketches import sketch_saved_recording
from sluice.render.picture import save_figure
from sluice.render.typeset import typeset_equations
from sluice.report.comparison import compare
from sluice.report.held_out import load_held_out
from sluice.report.page import look
from sluice.report.page.load import load_inputs
from sluice.sequence import (
    BucketBatches,
    Checkpoint,
    LanguageModel,
    LanguageModelConfig,
    TrainingConfig,
    Vocabulary,
    load_data,
    train,
)
from sluice.sequence.data.formats import detect_format
from sluice.sequence.data.readers.text import read_text
from sluice.sequence.search import search
from sluice.tunes.composition.training import prepare_dataset
from sluice.tunes.corpus.collections import load_collections
from sluice.tunes.output import write_tunes

SCALE = "X:1\nT:a scale\nM:2/4\nL:1/8\nK:C\n|:cdef|gfed:|\n"
OTHER = "X:2\nT:another\nM:2/4\nL:1/8\nK:D\n|:fgaf|edef|gage|fdd2:|\n"


def small_model() -> LanguageModel:
    return LanguageModel(LanguageModelConfig(vocabulary_size=7, hidden_size=4, num_layers=1))


def save_letters(path: str) -> None:
    Checkpoint(small_model(), Vocabulary(tuple("abcd"))).save(path)


def batches() -> BucketBatches:
    return BucketBatches([[3, 4, 5]] * 4, batch_size=4, seed=0)


def record_to(path: str) -> None:
    layer = sluice.nn.GRU(2, 2)
    with torch.no_grad(), sluice.record(layer, to=path):
        layer(torch.zeros(3, 1, 2))


def save_tape(path: str) -> None:
    layer = sluice.nn.GRU(2, 2)
    with torch.no_grad(), sluice.record(layer) as tape:
        layer(torch.zeros(3, 1, 2))
    tape.save(path)


def save_report(path: str) -> None:
    inputs = targets = torch.full((6, 2), 3)
    look(small_model(), inputs, targets).save(path)


def load_known_letters(path: str) -> None:
    Path(path).write_text("abcd" * 20)
    held_out = load_held_out(Checkpoint(small_model(), Vocabulary(tuple("abcd"))), path, 9)
    assert held_out.steps


def save_comparison(path: str) -> None:
    compare(["GRU"], lags=[2], seeds=1, rates=[0.01], steps=1, hidden=2, out=path).save(path)


def search_once(path: str) -> None:
    pytest.importorskip("optuna")
    found = search(
        lambda trial: (small_model(), TrainingConfig(steps=1)),
        batches(),
        batches(),
        trials=1,
        folder=path,
    )
    assert len(found.trials) == 1


WRITERS: dict[str, Callable[[str], object]] = {
    "Checkpoint.save": save_letters,
    "train": lambda path: train(
        small_model(), batches(), batches(), TrainingConfig(steps=1), folder=path
    ),
    "search": search_once,
    "record": record_to,
    "Tape.save": save_tape,
    "Report.save": save_report,
    "Comparison.save": save_comparison,
    "save_figure": lambda path: save_figure(
        typeset_equations(sluice.cells.GRU().graph), path + ".svg"
    ),
    "write_tunes": lambda path: write_tunes([tunes.read_tune(scale_beside(path))], path, ["abc"]),
    "write_pieces": lambda path: write_a_phrase(path),
    "read_text(cache=)": lambda path: read_text(scale_beside(path), cache=path),
}


def write_a_phrase(path: str) -> str:
    roll = chorales.Plan(phrases=1).make_roll(grid=4)
    roll.states[0, 60], roll.states[1:, 60] = 2, 1
    parts, title = chorales.separate_voices(roll), chorales.Presentation("Phrase")
    (file,) = chorales.write_pieces([parts], path, ["mid"], [title])
    return str(file)


def scale_beside(path: str) -> str:
    file = Path(path).with_suffix(".abc")
    file.write_text(SCALE + "\n" + OTHER)
    return str(file)


READERS: dict[str, Callable[[str], object]] = {
    "load_checkpoint": lambda path: (save_letters(path), sluice.load_checkpoint(path)),
    "Checkpoint.load": lambda path: (save_letters(path), Checkpoint.load(path)),
    "load_data": lambda path: load_data(scale_beside(path)),
    "detect_format": lambda path: detect_format(scale_beside(path)),
    "read_text": lambda path: read_text([scale_beside(path)]),
    "load_recording": lambda path: (save_tape(path), load_recording(path)),
    "sketch_saved_recording": lambda path: (
        record_to(path),
        sketch_saved_recording(sluice.cells.GRU().graph, path, step=1),
    ),
    "tunes.read": lambda path: tunes.read_tune(scale_beside(path)),
    "chorales.read_roll": lambda path: chorales.read_roll(write_a_phrase(path)),
    "chorales.read_rolls": lambda path: chorales.read_rolls(write_a_phrase(path)),
    "load_collections": lambda path: load_collections([scale_beside(path)]),
    "load_collections of one": lambda path: load_collections(scale_beside(path)),
    "prepare_dataset": lambda path: prepare_dataset(scale_beside(path)),
    "load_inputs": lambda path: (save_letters(path), load_inputs(path, text="abcd")),
    "load_held_out": load_known_letters,
}


@pytest.mark.parametrize("name", WRITERS)
def test_writes_to_a_string(name: str, tmp_path: Path) -> None:
    WRITERS[name](f"{tmp_path}/new")
    assert [path for path in tmp_path.iterdir() if path.name.startswith("new")]


@pytest.mark.parametrize("name", READERS)
def test_reads_from_a_string(name: str, tmp_path: Path) -> None:
    assert READERS[name](f"{tmp_path}/file") != ()


def test_a_composer_is_loaded_from_a_string(tmp_path: Path) -> None:
    file = tmp_path / "letters.safetensors"
    save_letters(str(file))
    with pytest.raises(tunes.errors.TuneError, match="train again"):
        tunes.load_composer(str(file))
    with pytest.raises(tunes.errors.TuneError, match="train again"):
        tunes.compose(checkpoint=str(file))


def test_one_path_or_several() -> None:
    assert to_paths("a") == to_paths(["a"]) == to_paths(Path("a")) == [Path("a")]
    assert to_paths(["a", Path("b")]) == [Path("a"), Path("b")]


def public_functions() -> Iterator[Callable[..., object]]:
    for found in pkgutil.walk_packages(sluice.__path__, "sluice."):
        if found.name.startswith(("sluice.cli", "sluice.studio")):
            continue  # typer wants Path, and the site is no library
        if found.name.endswith("__main__") or "._kernels_" in found.name:
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module.__name__ or name.startswith("_"):
                continue
            if inspect.isfunction(value):
                yield value
            elif inspect.isclass(value):
                yield from public_methods(value)


def public_methods(kind: type) -> Iterator[Callable[..., object]]:
    for name, value in vars(kind).items():
        function = getattr(value, "__func__", value)
        written_here = (
            inspect.isfunction(function) and "<string>" not in function.__code__.co_filename
        )
        if written_here and (name == "__init__" or not name.startswith("_")):
            yield function


def test_no_public_parameter_is_a_bare_path() -> None:
    functions = list(public_functions())
    assert len(functions) > 500
    bare, flexible = [], []
    for function in functions:
        for parameter in inspect.signature(function).parameters.values():
            annotation = inspect.formatannotation(parameter.annotation)
            if re.search(r"\bPath\b", annotation):
                bare.append(f"{function.__module__}.{function.__qualname__}({parameter})")
            elif "StrPath" in annotation:
                flexible.append(function)
    assert not bare
    assert len(flexible) > 40
