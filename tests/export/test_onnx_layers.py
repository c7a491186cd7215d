"""Layers as ONNX files, run by onnxruntime beside plain loops, torch's layers and float64."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import sluice
from cells import published
from sluice.cells.registry import list_cells
from sluice.equations.op_table import OPS
from sluice.export import ExportError
from sluice.export.to_onnx.builder import OnnxBuilder
from sluice.export.to_onnx.layer_file import make_model
from sluice.export.to_onnx.operations import ONNX_OPERATIONS
from sluice.nn import Recurrent
from sluice.nn.stack import RecurrentStack

INPUT = 3
ALWAYS = ("LSTM", "MogrifierLSTM", "LayerNormGRU", "ResetBeforeGRU", "OrderedLSTM", "LRU", "CfC")
"""Cells with which every variant runs always."""


def run_file(path: Path, **inputs: Tensor) -> dict[str, Tensor]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    found = session.run(names, {name: one.numpy() for name, one in inputs.items()})
    return dict(zip(names, map(torch.from_numpy, found), strict=True))


def list_ops(path: Path) -> set[str]:
    return {node.op_type for node in onnx.load(path).graph.node}


def make_layer(name: str, size: int = published.SIZE, **options: Any) -> Recurrent:
    if name == "ProjectedLSTM":
        options["proj_size"] = 4
    return Recurrent(name, INPUT, size, **options)


def draw_states(layer: RecurrentStack, batch: int) -> dict[str, Tensor]:
    places = layer.get_initial_states()
    found = {}
    for number, state in enumerate(layer.cell.graph.states):
        rows = torch.stack([place[number] for place in places])
        found[f"{state.name}_0"] = rows + 0.1 * torch.randn(len(rows), batch, rows.shape[-1]).to(
            rows
        )
    return found


def call_exactly(layer: RecurrentStack, given: dict[str, Tensor], **marks: Tensor) -> list[Tensor]:
    """The layer in float64: output and states."""
    own = deepcopy(layer).double()
    own.backend = "reference"
    wide = {n: t.double() if t.is_floating_point() else t for n, t in given.items()}
    states = tuple(wide.pop(f"{state.name}_0") for state in layer.cell.graph.states)
    with torch.no_grad():
        y, last = own(wide.pop("input"), states if len(states) > 1 else states[0], **wide, **marks)
    return [y, *(last if isinstance(last, tuple) else (last,))]


def assert_same(found: dict[str, Tensor], expected: list[Tensor], tolerance: float = 2e-5) -> None:
    for (name, own), one in zip(found.items(), expected, strict=True):
        assert own.shape == one.shape, name
        torch.testing.assert_close(own.double(), one, rtol=tolerance, atol=tolerance, msg=name)


def draw_beside(layer: RecurrentStack, *lead: int) -> dict[str, Tensor]:
    specs = layer.cell.graph.inputs
    return {one.name: torch.rand(*lead, layer.sizes[0].of(one.width)) for one in specs}


@pytest.mark.parametrize("name", list_cells())
def test_every_cell_is_its_equations(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    layer = make_layer(name)
    sluice.export.onnx(layer, tmp_path / "a.onnx", check=False)
    x = torch.randn(6, 2, INPUT)
    given = {"input": x, **draw_beside(layer, 6, 2), **draw_states(layer, 2)}
    if name in published.STEPS:
        states = tuple(given[f"{one.name}_0"][0].double() for one in layer.cell.graph.states)
        parameters = {n: t.double() for n, t in layer.state_dict().items()}
        rows = list[Tensor]()
        for step in x.double():
            states = published.STEPS[name](parameters, step, states)
            rows.append(states[0])
        expected = [torch.stack(rows), *(state[None] for state in states)]
    else:
        expected = call_exactly(layer, given)
    assert_same(run_file(tmp_path / "a.onnx", **given), expected)


def select(names: list[str] | dict[str, Any]) -> list[Any]:
    """The names, those that do not run always with a mark."""
    return [
        name if name in ALWAYS else pytest.param(name, marks=pytest.mark.exhaustive)
        for name in names
    ]


VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bidirectional with lengths": ({"bidirectional": True}, {"lengths": True}),
    "resets": ({"bidirectional": True}, {"lengths": True, "resets": True}),
    "stacked, batch first": ({"batch_first": True, "num_layers": 2}, {}),
    "float64": ({"dtype": torch.float64}, {}),
    "a step": ({}, {"stream": True, "resets": True}),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", select(list(list_cells())))
def test_variants(name: str, variant: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    made, options = VARIANTS[variant]
    graph = list_cells()[name]().graph
    is_uneven = graph.inputs or any(state.width == "input" for state in graph.states)
    if variant.startswith("stacked") and is_uneven:
        made = {**made, "num_layers": 1}
    layer = make_layer(name, 6, **made)
    sluice.export.onnx(layer, tmp_path / "a.onnx", check=False, **options)
    steps, batch = 6, 3
    lead = (batch, steps) if layer.batch_first else (steps, batch)
    dtype = next(layer.parameters()).dtype
    x = torch.randn(*lead, INPUT, dtype=dtype)
    beside = {n: t.to(dtype) for n, t in draw_beside(layer, *lead).items()}
    given = {"input": x, **beside, **draw_states(layer, batch)}
    marks = {}
    if options.get("lengths"):
        marks["lengths"] = torch.tensor([6, 0, 3])
    if options.get("resets"):
        marks["resets"] = torch.rand(*lead) < 0.4
    tolerance = 1e-9 if dtype == torch.float64 else 2e-5
    expected = call_exactly(layer, given, **marks)
    if "stream" not in options:
        assert_same(run_file(tmp_path / "a.onnx", **given, **marks), expected, tolerance)
        return
    session = {k: v for k, v in given.items() if k.endswith("_0")}
    for t in range(steps):
        own = {n: v[t] for n, v in {**given, **marks}.items() if n not in session}
        found = run_file(tmp_path / "a.onnx", **own, **session)
        torch.testing.assert_close(found["output"].double(), expected[0][t], rtol=1e-4, atol=2e-5)
        session = {name: found[f"{name[:-2]}_n"] for name in session}


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_torchs_layers_are_nodes_of_one_name(kind: type[nn.RNNBase], tmp_path: Path) -> None:
    layer = kind(INPUT, 5, num_layers=2, bidirectional=True)
    made = sluice.export.onnx(layer, tmp_path / "a.onnx", lengths=True)
    assert made.difference is not None and made.difference < 1e-5
    assert kind.__name__ in list_ops(tmp_path / "a.onnx")
    assert "Scan" not in list_ops(tmp_path / "a.onnx")
    x, lengths = torch.randn(6, 3, INPUT), torch.tensor([6, 1, 4])
    zeros = {name: torch.zeros(4, 3, 5) for name in made.inputs if name.endswith("_0")}
    found = run_file(tmp_path / "a.onnx", input=x, lengths=lengths, **zeros)
    with torch.no_grad():
        y, last = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
    last = last if isinstance(last, tuple) else (last,)
    expected = [pad_packed_sequence(y)[0], *last]
    assert_same(found, [one.double() for one in expected])
    lengths[1] = 0  # torch has no such sequence; its state is the one before the first step
    one = {name: torch.ones(4, 3, 5) for name in zeros}
    found = run_file(tmp_path / "a.onnx", input=x, lengths=lengths, **one)
    assert found["output"][:, 1].eq(0).all() and found["h_n"][:, 1].eq(1).all()


@pytest.mark.parametrize(
    ("layer", "op"),
    [
        (lambda: Recurrent("peephole-lstm", INPUT, 5), "LSTM"),
        (lambda: Recurrent("reset-before-gru", INPUT, 5), "GRU"),
        (lambda: sluice.nn.LSTM(INPUT, 5, clip=0.4, activation="softsign"), "LSTM"),
        (lambda: sluice.nn.GRU(INPUT, 5, gate_activation="hard_sigmoid"), "GRU"),
        (lambda: sluice.nn.RNN(INPUT, 5, activation="leaky_relu", clip=0.7), "RNN"),
        (lambda: sluice.nn.LSTM(INPUT, 5, cell_clip=0.3), "Scan"),
        (lambda: Recurrent("cifg", INPUT, 5), "Scan"),
    ],
)
def test_what_is_a_node_of_onnx(layer: Any, op: str, tmp_path: Path) -> None:
    own = layer()
    sluice.export.onnx(own, tmp_path / "a.onnx", check=False)
    assert op in list_ops(tmp_path / "a.onnx")
    given = {"input": 3 * torch.randn(6, 2, INPUT), **draw_states(own, 2)}
    assert_same(run_file(tmp_path / "a.onnx", **given), call_exactly(own, given))


@pytest.mark.parametrize("name", ["LSTM", "GRU", "MogrifierLSTM"])
def test_int8_has_our_row_scales(name: str, tmp_path: Path) -> None:
    layer = make_layer(name, 40)
    plain = sluice.export.onnx(layer, tmp_path / "f.onnx", check=False)
    made = sluice.export.onnx(layer, tmp_path / "a.onnx", int8=True)
    assert made.size < 0.5 * plain.size
    given = {"input": torch.randn(6, 2, INPUT), **draw_states(layer, 2)}
    with torch.no_grad():
        for tensor in layer.parameters():
            if tensor.dim() == 2:
                scales = tensor.abs().amax(1, keepdim=True) / 127
                tensor.copy_((tensor / scales).round() * scales)
    assert_same(run_file(tmp_path / "a.onnx", **given), call_exactly(layer, given))


def test_sizes_readout_and_initial_states(tmp_path: Path) -> None:
    layer = sluice.nn.LSTM(
        INPUT, (5, 4), bidirectional=True, learn_initial_state=True, output_size=2,
        output_activation="softmax",
    )  # fmt: skip
    nn.init.normal_(layer.initial_h_l1_reverse)
    made = sluice.export.onnx(layer, tmp_path / "a.onnx", resets=True)
    assert made.inputs["h_l1_reverse_0"] == ("batch", 4) and made.outputs["output"][-1] == 2
    notes = {one.key: one.value for one in onnx.load(tmp_path / "a.onnx").metadata_props}
    assert "initial_states" in notes
    x, resets = torch.randn(6, 3, INPUT), torch.rand(6, 3) < 0.5
    states = {n: torch.randn(3, int(s[-1])) for n, s in made.inputs.items() if n.endswith("_0")}
    found = run_file(tmp_path / "a.onnx", input=x, resets=resets, **states)
    hx = tuple(tuple(v for n, v in states.items() if n[0] == kind) for kind in "hc")
    with torch.no_grad():
        y, _ = layer(x, hx, resets=resets)
    torch.testing.assert_close(found["output"], y, rtol=1e-5, atol=1e-5)


def test_operations_that_onnx_lacks_keep_their_digits(tmp_path: Path) -> None:
    spelled = ONNX_OPERATIONS
    assert spelled.keys() == OPS.keys()
    a = torch.cat([torch.logspace(-8, 1.4, 60), -torch.logspace(-8, 1.4, 60)])
    for name in ("expm1", "softplus", "log_sigmoid", "silu", "round", "erf"):
        expected = OPS[name].torch(a.double())
        builder = OnnxBuilder(torch.float32)
        builder.rename(spelled[name](builder, "a"), "b")
        described = [builder.describe(one, [len(a)]) for one in "ab"]
        graph = builder.finish(name, described[:1], described[1:])
        model = make_model(graph, {})
        session = onnxruntime.InferenceSession(model.SerializeToString())
        found = torch.from_numpy(session.run(None, {"a": a.numpy()})[0])
        tolerance = 1e-9 if name in ("expm1", "softplus", "log_sigmoid") else 1e-6
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=tolerance, msg=name)


def test_a_file_that_differs_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ONNX_OPERATIONS, "tanh", ONNX_OPERATIONS["sigmoid"])
    with pytest.raises(ExportError, match=r"'output' differs from ours by .* nothing was written"):
        sluice.export.onnx(make_layer("JANET"), tmp_path / "folder" / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    for layer, options, message in [
        (sluice.nn.GRU(3, 4, bidirectional=True), {"stream": True}, "reads from the end"),
        (sluice.nn.GRU(3, 4), {"stream": True, "lengths": True}, "a single step has none"),
        (Recurrent("gru", 3, 4, copies=2), {}, r"get_copy\(0\)"),
        (sluice.nn.GRU(3, 4, dtype=torch.float16), {}, "float32 or float64, got torch.float16"),
        (nn.Linear(3, 4), {}, "needs an example of each argument"),
        (
            nn.Linear(3, 4),
            {"lengths": True, "inputs": [torch.zeros(2, 3)]},
            "lengths: of a layer or",
        ),
        (sluice.nn.GRU(3, 4), {"inputs": (torch.zeros(1),)}, "needs no examples"),
    ]:
        with pytest.raises(ExportError, match=message):
            sluice.export.onnx(layer, path, **options)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file/a\.onnx"):
        sluice.export.onnx(sluice.nn.GRU(3, 4), tmp_path / "file" / "a.onnx", check=False)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
