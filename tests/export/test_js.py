"""Layers and models in JavaScript, run in node beside torch, in float64."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from sluice.cells.registry import list_cells
from sluice.equations.op_table import OPS
from sluice.export import ExportError
from sluice.export.to_js import files
from sluice.export.to_js.operations import FUNCTIONS, JS_OPERATIONS
from sluice.export.to_js.wasm import can_compile
from sluice.nn import Recurrent
from sluice.sequence import LanguageModel, LanguageModelConfig, Sampling, Vocabulary, generate

NODE = shutil.which("node") or shutil.which("nodejs") or ""
needs_node = pytest.mark.skipif(not NODE, reason="needs node")


def run_script(folder: Path, script: str) -> object:
    """What a script prints, as JSON."""
    (folder / "script.mjs").write_text(script)
    said = subprocess.run(
        [NODE, "script.mjs"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_every_operation_has_a_spelling() -> None:
    assert set(JS_OPERATIONS) == set(OPS)


@needs_node
def test_operations_compute_what_torch_does(tmp_path: Path) -> None:
    edges = [-30.0, -2.5, -1.5, -0.5, -0.2, 0.0, 1e-4, 0.5, 1.5, 2.4, 2.6, 3.0, 21.0]
    a = torch.tensor(edges + [-x - 0.1 for x in edges], dtype=torch.float64)
    operands = [a, a.flip(0), a.roll(3)]
    spelt = {name: text.format("a", "b", "c") for name, text in JS_OPERATIONS.items()}
    lines = [f"{json.dumps(name)}: ([a, b, c]) => {text}" for name, text in spelt.items()]
    own = "\n".join(FUNCTIONS[name] for name in ("softplus", "roundToEven", "erf"))
    rows = torch.stack(operands, 1).tolist()
    found = run_script(
        tmp_path,
        f"{own}const ops = {{{','.join(lines)}}}, rows = {json.dumps(rows)};\n"
        "const all = Object.entries(ops).map(([n, op]) => [n, rows.map((r) => String(op(r)))]);\n"
        "console.log(JSON.stringify(Object.fromEntries(all)));",
    )
    assert isinstance(found, dict)
    for name, op in OPS.items():
        if name == "where":
            expected = torch.where(a != 0, operands[1], operands[2])
        elif name in ("clamp", "hard_tanh"):
            expected = torch.minimum(torch.maximum(a, operands[1]), operands[2])
        else:
            expected = op.torch(*operands[: op.arity]).double()
        ours = torch.tensor([float(value) for value in found[name]], dtype=torch.float64)
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-12, equal_nan=True, msg=name)


def round_matrices(layer: torch.nn.Module) -> None:
    with torch.no_grad():
        for tensor in layer.parameters():
            if tensor.dim() == 2:
                scales = tensor.abs().amax(1, keepdim=True) / 127
                tensor.copy_((tensor / scales).round() * scales)


@needs_node
@pytest.mark.parametrize("int8", [False, True])
def test_every_cell(int8: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    script, expected = ["const found = {};"], dict[str, Tensor]()
    for name, kind in list_cells().items():
        options: dict[str, Any] = {"proj_size": 4} if name == "ProjectedLSTM" else {}
        beside = kind().graph.inputs
        options |= {} if beside else {"num_layers": 2}
        layer = Recurrent(name, 6, 6, **options)
        sluice.export.js(layer, tmp_path / f"{name}.mjs", int8=int8, check=False)
        widths = [6, *(layer.sizes[0].of(one.width) for one in beside)]
        parts = [torch.randn(8, 6), *(torch.rand(8, width) for width in widths[1:])]
        steps = list(zip(*(part.tolist() for part in parts), strict=True))
        script.append(
            f'import * as {name} from "./{name}.mjs";\n'
            f"{{ const state = {name}.createState(); found.{name} = {json.dumps(steps)}"
            f".map((x) => [...{name}.step(state, ...x)]); }}"
        )
        if int8:
            round_matrices(layer)
        own = layer.double()
        own.backend = "reference"
        named = {
            one.name: part.double()[:, None] for one, part in zip(beside, parts[1:], strict=True)
        }
        with torch.no_grad():
            expected[name] = own(parts[0].double()[:, None], **named)[0][:, 0]
    found = run_script(tmp_path, "\n".join([*script, "console.log(JSON.stringify(found));"]))
    assert isinstance(found, dict) and len(found) == len(expected)
    for name, value in expected.items():
        ours = torch.tensor(found[name], dtype=torch.float64)
        torch.testing.assert_close(ours, value, rtol=1e-5, atol=1e-5, msg=name)


@needs_node
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_layers_of_torch(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    layer = getattr(torch.nn, kind)(3, 5, num_layers=2)
    made = sluice.export.js(layer, tmp_path / "net.js")
    assert made.difference is not None and made.difference < 1e-6
    x = torch.randn(9, 3)
    found = run_script(
        tmp_path,
        'import { createState, reset, step } from "./net.js";\n'
        f"const xs = {json.dumps(x.tolist())}, state = createState();\n"
        "for (const x of xs) step(state, x);\n"  # another sequence before
        "reset(state);\n"
        "console.log(JSON.stringify(xs.map((x) => [...step(state, x)])));",
    )
    expected = layer.double()(x.double())[0]
    torch.testing.assert_close(
        torch.tensor(found, dtype=torch.float64), expected, rtol=0, atol=1e-6
    )


@needs_node
@pytest.mark.parametrize("readout", ["sigmoid", "softmax"])
def test_a_readout_and_learned_states(readout: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    layer = Recurrent(
        "elman", 3, 5, output_size=4, output_activation=readout, learn_initial_state=True
    )
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.5)
    sluice.export.js(layer, tmp_path / "net.js")
    x = torch.randn(3)
    found = run_script(
        tmp_path,
        'import { createState, step } from "./net.js";\n'
        f"console.log(JSON.stringify([...step(createState(), {json.dumps(x.tolist())})]));",
    )
    named = {name: value.double() for name, value in layer.named_parameters()}
    h = torch.tanh(
        named["weight_ih_l0"] @ x.double()
        + named["bias_ih_l0"]
        + named["bias_hh_l0"]
        + named["weight_hh_l0"] @ named["initial_h_l0"]
    )
    logits = named["readout.map.weight"] @ h + named["readout.map.bias"]
    expected = torch.sigmoid(logits) if readout == "sigmoid" else torch.softmax(logits, 0)
    ours = torch.tensor(found, dtype=torch.float64)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)


WORDS = ("to", "be", "or", "not")


def build_model(tied: bool) -> LanguageModel:
    torch.manual_seed(3)
    model = LanguageModel(
        LanguageModelConfig(7, embedding_size=6, hidden_size=6, num_layers=2, tied=tied)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model.eval()


@needs_node
@pytest.mark.parametrize("tied", [False, True])
def test_a_model_writes_what_generate_does(tied: bool, tmp_path: Path) -> None:
    model, words = build_model(tied), Vocabulary(WORDS)
    sluice.export.js(model, tmp_path / "net.js", vocabulary=words)
    found = run_script(
        tmp_path,
        'import * as net from "./net.js";\n'
        "const state = net.createState();\n"
        "const logits = [1, 3, 6, 4].map((token) => [...net.step(state, token)]);\n"
        'const prompt = net.encode(" or  to ");\n'
        "const options = { prompt, temperature: 0.8, length: 30 };\n"
        "const write = (seed) => [...net.generate({ ...options, seed })];\n"
        "const texts = [0, 5, 2 ** 40 + 1].map(write);\n"
        "console.log(JSON.stringify({ logits, prompt, texts, read: net.decode([2, 5, 3]) }));",
    )
    assert isinstance(found, dict)
    assert found["prompt"] == [5, 3] and found["read"] == "or to"
    with torch.no_grad():
        expected = model.double()(torch.tensor([[1], [3], [6], [4]]))[0][:, 0]
    ours = torch.tensor(found["logits"], dtype=torch.float64)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
    sampling = Sampling(temperature=0.8, max_length=30)
    seeds = [0, 5, 2**40 + 1]
    drawn = generate(model.float(), seeds, prompt=[[5], [3]], sampling=sampling)
    assert found["texts"] == [ids[2:] for ids in drawn]


@needs_node
@pytest.mark.skipif(not can_compile(), reason="needs clang and wasm-ld")
@pytest.mark.parametrize("int8", [False, True])
def test_webassembly_computes_what_plain_javascript_does(int8: bool, tmp_path: Path) -> None:
    torch.manual_seed(4)
    script = ["const found = {};"]
    for size in (1, 2, 3, 5, 9, 17, 31):
        layer = sluice.nn.GRU(size + 2, size, output_size=size)
        for kind, wasm in (("plain", False), ("simd", True)):
            name = f"{kind}{size}"
            sluice.export.js(layer, tmp_path / f"{name}.mjs", int8=int8, wasm=wasm, check=False)
            script.append(
                f'import * as {name} from "./{name}.mjs";\n'
                f"{{ const state = {name}.createState();\n"
                f"found.{name} = [{name}.hasSimd, ...[1, 2, 3].map((n) => "
                f"[...{name}.step(state, Array.from({{ length: {size + 2} }}, (_, i) => "
                "Math.sin(n * i)))])]; }"
            )
    (tmp_path / "without.mjs").write_text(
        "delete globalThis.WebAssembly;\n"
        'const { createState, hasSimd, step } = await import("./simd9.mjs");\n'
        "const x = Array.from({ length: 11 }, (_, i) => Math.sin(i));\n"
        "console.log(JSON.stringify([hasSimd, [...step(createState(), x)]]));"
    )
    found = run_script(tmp_path, "\n".join([*script, "console.log(JSON.stringify(found));"]))
    assert isinstance(found, dict)
    for size in (1, 2, 3, 5, 9, 17, 31):
        (is_plain_simd, *plain), (is_simd, *simd) = found[f"plain{size}"], found[f"simd{size}"]
        assert is_simd and not is_plain_simd
        torch.testing.assert_close(torch.tensor(simd), torch.tensor(plain), rtol=1e-5, atol=1e-6)
    said = subprocess.run([NODE, "without.mjs"], cwd=tmp_path, capture_output=True, text=True)
    has_simd, output = json.loads(said.stdout)
    assert not has_simd and len(output) == 9


@needs_node
def test_random_numbers_are_those_of_torch(tmp_path: Path) -> None:
    sluice.export.js(build_model(False), tmp_path / "net.js", check=False)
    found = run_script(
        tmp_path,
        'import { createRandom } from "./net.js";\n'
        "const random = createRandom(12345678901);\n"
        "console.log(JSON.stringify(Array.from({ length: 700 }, random)));",
    )
    generator = torch.Generator().manual_seed(12345678901)
    assert found == torch.rand(700, generator=generator, dtype=torch.float64).tolist()


@needs_node
def test_wrong_calls_are_refused_in_words(tmp_path: Path) -> None:
    sluice.export.js(build_model(False), tmp_path / "model.js", vocabulary=Vocabulary(WORDS))
    sluice.export.js(sluice.nn.GRU(3, 4), tmp_path / "layer.js")
    calls = {
        "layer.step(layer.createState(), [1, 2])": "input must be 3 numbers, got 2",
        "layer.step([0], [1, 2, 3])": "state must be 4 numbers, got 1",
        "model.step(model.createState(), 7)": "token must be an id below 7, got 7",
        "model.step(model.createState(), 1.5)": "token must be an id below 7, got 1.5",
        "model.createRandom(-1)": "seed must be a whole number of at least 0, got -1",
        "model.sample([0, 0, 0], 0, 0.5)": "temperature must be above 0, got 0",
        "model.sample([0, 0, NaN], 1, 0.5)": "no token has a probability",
        'model.encode("to bee")': 'the model does not know "bee"',
    }
    tries = ",".join(f"[{json.dumps(call)}, () => {call}]" for call in calls)
    found = run_script(
        tmp_path,
        'import * as layer from "./layer.js";\nimport * as model from "./model.js";\n'
        f"console.log(JSON.stringify(Object.fromEntries([{tries}].map(([name, call]) => {{\n"
        "  try { call(); return [name, null]; } catch (error) { return [name, error.message]; }\n"
        "}))));",
    )
    assert found == calls


def test_without_node_the_file_is_not_said_to_be_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    made = sluice.export.js(sluice.nn.GRU(3, 4), tmp_path / "net.mjs")
    assert made.difference is None and made.path.stat().st_size == made.size
    with pytest.raises(ExportError, match="needs clang and wasm-ld"):
        sluice.export.js(sluice.nn.GRU(3, 4), tmp_path / "net.mjs", wasm=True)


@needs_node
def test_a_wrong_module_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = JS_OPERATIONS | {"tanh": "Math.atan({0})"}
    monkeypatch.setattr("sluice.export.to_js.source.JsSource.operations", wrong)
    with pytest.raises(ExportError, match="differs from ours by"):
        sluice.export.js(sluice.nn.GRU(3, 4), tmp_path / "net.js")
    assert not list(tmp_path.iterdir())


def test_what_is_refused(tmp_path: Path) -> None:
    cases: list[tuple[torch.nn.Module, str, dict[str, Any], str]] = [
        (sluice.nn.GRU(3, 4, bidirectional=True), "a.js", {}, "reads from the end"),
        (sluice.nn.GRU(3, 4, dtype=torch.float64), "a.js", {}, "in float32"),
        (torch.nn.Linear(3, 4), "a.js", {}, "not of a Linear"),
        (sluice.nn.GRU(3, 4), "a.txt", {}, r"must end in \.js"),
        (sluice.nn.GRU(3, 4), "a.js", {"vocabulary": Vocabulary(WORDS)}, "of a language model"),
        (build_model(False), "a.js", {"vocabulary": Vocabulary(("a",))}, "4 tokens, not 7"),
    ]
    for layer, path, options, message in cases:
        with pytest.raises(ExportError, match=message):
            files.js(layer, tmp_path / path, **options)
    assert not list(tmp_path.iterdir())
