"""Partial recordings: selection, size and storage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice import insight
from sluice.insight.recording import memory_estimate
from sluice.run import chunked_recording


class Model(nn.Module):
    """Two recurrent layers, one of them with four places."""

    def __init__(self, backend: str | None = None) -> None:
        super().__init__()
        self.encoder = sluice.nn.LSTM(3, 5, num_layers=2, bidirectional=True)
        self.top = sluice.nn.GRU(10, 4)
        self.encoder.backend = self.top.backend = backend

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        y: Tensor = self.top(self.encoder(x, lengths=lengths)[0], lengths=lengths)[0]
        return y


LENGTHS = torch.tensor([7, 20, 0])


def draw(backend: str | None = None) -> tuple[Model, Tensor]:
    return Model(backend), torch.randn(20, 3, 3)


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("at_once", [1, chunked_recording._CHUNK_BYTES])
def test_some_layers_values_and_steps(
    backend: str | None, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunked_recording, "_CHUNK_BYTES", at_once)
    model, x = draw(backend)
    with sluice.record(model, pre=True) as whole:
        y = model(x, LENGTHS)
        y.square().sum().backward()
    options = {"layers": ["encoder.l1_reverse", "top"], "names": ["c", "update", "pre.update"]}
    for quiet in (True, False):
        with sluice.record(model, every=3, **options) as tape, torch.set_grad_enabled(not quiet):
            output = model(x, LENGTHS)
            if not quiet:
                output.square().sum().backward()
        assert torch.equal(output, y)
        names = ["encoder.l1_reverse.c", "top.l0.update", "top.l0.pre.update"]
        if not quiet:
            names = [n for n in names for n in (n, n.replace("l0.", "l0.gradient."))]
            names[1] = "encoder.l1_reverse.gradient.c"
        found, expected = tape.tensors(), whole.tensors()
        assert sorted(found) == sorted(names)
        assert all(torch.equal(found[name], expected[name][::3]) for name in names)
        assert tape["top"].every == 3 and list(tape["encoder"].layers) == ["l1_reverse"]


def test_nested_recordings_each_keep_their_own() -> None:
    model, x = draw()
    outer, inner = sluice.record(model), sluice.record(model, names=["h"], every=2)
    with outer as whole, inner as some, sluice.record(model.top, pre=True) as pre:
        model(x).sum().backward()
    assert list(whole["top"].layer(0)) == ["h", "reset", "update", "candidate"]
    assert torch.equal(some["top"].gradient.h, whole["top"].gradient.h[::2])
    torch.testing.assert_close(pre.pre.reset.sigmoid(), whole["top"].reset)


def test_time_has_coordinates_where_steps_were_left_out() -> None:
    model, x = draw()
    with torch.no_grad(), sluice.record(model.top, every=8) as tape:
        model(x)
    assert list(tape.xarray()["l0"].time.values) == [0, 8, 16]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"names": ["froget"]},
            "layer has a value 'froget'; the values are h, c, input, forget",
        ),
        ({"names": "forget"}, r"names= must be a list of names, as in \['forget'\], got one name"),
        (
            {"layers": ["l9"]},
            "no recurrent layer 'l9'; its layers are 'encoder', 'top', 'enc",
        ),
        ({"layers": []}, "layers= must name at least one, got none"),
        ({"every": 0}, "every= must be an integer of at least 1, got 0"),
        ({"every": 1.5}, "every= must be an integer of at least 1, got 1.5"),
    ],
)
def test_unknown_selections_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sluice.record(Model(), **options)


def test_no_preactivations_by_default() -> None:
    model, x = draw("reference")
    with sluice.record(model.top) as tape:
        model(x)
    with pytest.raises(AttributeError, match=r"no value 'pre'.*sluice\.record\(model, pre=True"):
        _ = tape.pre
    empty = pytest.raises(RuntimeError, match="Expected sequence length to be larger than 0")
    with empty, sluice.record(model) as tape:
        model(x[:0])
    with pytest.raises(RuntimeError, match="'top' has recorded nothing: call the model"):
        _ = tape["top"].pre


def test_the_estimate_is_the_size() -> None:
    model, x = draw()
    for options in ({}, {"pre": True, "every": 3}, {"names": ["h"], "layers": ["top"]}):
        tape = sluice.record(model, **options)
        for gradients in (False, True):
            with tape, torch.set_grad_enabled(gradients):
                y = model(x)
                if gradients:
                    y.sum().backward()
            actual = sum(tensor.nbytes for tensor in tape.tensors().values())
            assert tape.estimate_bytes(20, 3, gradients) == actual


def test_recordings_beyond_memory_are_refused_before_they_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, x = draw()
    needed = sluice.record(model.top).estimate_bytes(20, 3)
    for free, fits in ((needed, True), (needed - 1, False)):
        monkeypatch.setattr(memory_estimate, "free_memory", lambda device, free=free: free)
        with sluice.record(model.top) as tape:
            if fits:
                model(x)
                continue
            with pytest.raises(MemoryError, match=r"takes 7\.5 KiB.*has 7\.5 KiB free.*every="):
                model(x)
            with pytest.raises(RuntimeError, match="recorded nothing"):
                _ = tape.h
    monkeypatch.undo()
    free = memory_estimate.free_memory(torch.device("cpu"))
    assert free is None or free > 1 << 20


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("at_once", [1, chunked_recording._CHUNK_BYTES])
def test_to_a_folder(
    tmp_path: Path, backend: str | None, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunked_recording, "_CHUNK_BYTES", at_once)
    model, x = draw(backend)
    with sluice.record(model) as whole:
        y = model(x, LENGTHS)
        y.square().sum().backward()
    for name, quiet in (("quiet", True), ("trained", False)):
        place = tmp_path / "new" / name
        with sluice.record(model, to=place) as tape, torch.set_grad_enabled(not quiet):
            model(x[:5])  # of another shape; the last call counts
            output = model(x, LENGTHS)
            if not quiet:
                output.square().sum().backward(retain_graph=True)
            assert not place.exists()
            with pytest.raises(ValueError, match=r"incomplete is unfinished"):
                insight.load_recording(f"{place}.incomplete")
        assert torch.equal(output, y)
        found = insight.load_recording(place)
        assert len(found) == (1 if quiet else 2) * (4 * 6 + 4)
        assert all(torch.equal(value, whole.tensors()[key]) for key, value in found.items())
        assert torch.equal(tape["top"].h, whole["top"].h)
    output.sum().backward()  # after the block: kept in memory, the file stays
    assert not torch.equal(tape["top"].gradient.h, whole["top"].gradient.h)
    assert torch.equal(found["top.l0.gradient.h"], whole["top"].gradient.h)
    assert torch.equal(insight.load_recording(place)["top.l0.gradient.h"], whole["top"].gradient.h)
    with pytest.raises(FileExistsError, match=r"exists; remove it, or record to another folder"):
        sluice.record(model, to=place).__enter__()


def test_a_killed_recording_is_marked_incomplete(tmp_path: Path) -> None:
    code = f"""
import os, signal, torch, sluice
layer = sluice.nn.GRU(3, 4)
with torch.no_grad(), sluice.record(layer, to={str(tmp_path / "run")!r}):
    layer(torch.randn(5, 2, 3))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=600).returncode == -9
    assert [path.name for path in tmp_path.iterdir()] == ["run.incomplete"]
    with pytest.raises(FileExistsError, match=r"run\.incomplete"):
        sluice.record(sluice.nn.GRU(3, 4), to=tmp_path / "run").__enter__()


def test_files_that_are_no_recording(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no tensors")
    with pytest.raises(ValueError, match=r"was not written by Tape\.save"):
        insight.load_recording(tmp_path / "text")
    with pytest.raises(ValueError, match="holds no recording"):
        insight.load_recording(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no recording: .*nothing"):
        insight.load_recording(tmp_path / "nothing")


def test_a_saved_file_is_read_back(tmp_path: Path) -> None:
    model, x = draw()
    with sluice.record(model) as tape:
        model(x).sum().backward()
    tape.save(tmp_path / "tape.safetensors")
    found = insight.load_recording(tmp_path / "tape.safetensors")
    assert all(torch.equal(found[name], value) for name, value in tape.tensors().items())
