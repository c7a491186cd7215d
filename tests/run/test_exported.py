"""Exported programs run the kernels in a process that knows nothing but ``import sluice``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import sluice
from sampling import thin_out
from sluice.import_hook import call_after_import

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of its own deprecated parts


class Leaky(sluice.Cell):
    """A cell that the loading process does not know."""

    leak, candidate = sluice.Gate(), sluice.Gate()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        k = sluice.sigmoid(self.leak(x, h))
        return {"h": k * h + (1 - k) * sluice.tanh(self.candidate(x, h))}


def export_layer() -> tuple[Any, Any]:
    layer = sluice.nn.Recurrent(Leaky, 3, 5, num_layers=2, bidirectional=True).eval()
    time, batch = torch.export.Dim("time", min=2, max=99), torch.export.Dim("batch", min=2, max=99)
    program = torch.export.export(
        layer, (torch.randn(5, 2, 3),), dynamic_shapes={"input": {0: time, 1: batch}}
    )
    return layer, program


def run_python(text: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=600
    )
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("imports", thin_out(["import sluice, torch", "import torch, sluice"], 2))
def test_a_saved_program_computes_and_trains_elsewhere(tmp_path: Path, imports: str) -> None:
    layer, program = export_layer()
    torch.export.save(program, tmp_path / "program.pt2")
    x = torch.randn(11, 7, 3)
    y = layer(x)[0]
    gradients = torch.autograd.grad(y.sin().sum(), list(layer.parameters()))
    names = [name for name, _ in layer.named_parameters()]
    expected = (x, y.detach(), dict(zip(names, gradients, strict=True)))
    torch.save(expected, tmp_path / "expected.pt")
    run_python(f"""
{imports}
model = torch.export.load({str(tmp_path / "program.pt2")!r}).module()
import sys
assert "sluice.run.custom_op" not in sys.modules  # so that no program pays for what it does not use
x, y, gradients = torch.load({str(tmp_path / "expected.pt")!r})
assert torch.equal(model(x)[0], y)
with torch.no_grad():
    assert torch.equal(model(x)[0], y)
model(x)[0].sin().sum().backward()
for name, parameter in model.named_parameters():
    assert torch.equal(parameter.grad, gradients[name]), name
""")


@pytest.mark.exhaustive
def test_a_package_of_aotinductor_runs_the_kernels(tmp_path: Path) -> None:
    layer, program = export_layer()
    path = torch._inductor.aoti_compile_and_package(
        program, package_path=str(tmp_path / "package.pt2")
    )
    x = torch.randn(11, 7, 3)
    torch.save((x, layer(x)[0].detach()), tmp_path / "expected.pt")
    run_python(f"""
import sluice, torch
model = torch._inductor.aoti_load_package({path!r})
x, y = torch.load({str(tmp_path / "expected.pt")!r})
assert torch.equal(model(x)[0], y)
""")


def test_gradients_of_gradients_of_an_exported_program() -> None:
    layer = sluice.nn.Recurrent(Leaky, 3, 5).double()
    model = torch.export.export(layer, (torch.randn(3, 2, 3).double(),)).module()
    x = torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: model(x)[0], (x,))


def test_a_function_is_called_once_its_module_is_there() -> None:
    assert "this" not in sys.modules
    calls, count = list[str](), len(sys.meta_path)
    call_after_import("this", lambda: calls.append("later"))
    call_after_import("sys", lambda: calls.append("now"))
    assert calls == ["now"]
    import this  # noqa: F401

    assert calls == ["now", "later"]
    assert len(sys.meta_path) == count
