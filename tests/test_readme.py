"""The README's Python runs, and its commands exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_examples_run_and_print_the_documented_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    names: dict[str, object] = {}
    exec("".join(blocks), names)
    assert "torch.Size([100, 4, 32]) torch.Size([2, 4, 32]) fused" in capsys.readouterr().out
    assert "sluice" in type(names["model"][0]).__module__  # type: ignore[index]


def test_the_make_targets_and_pages_that_it_names_exist() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    assert set(re.findall(r"make ([a-z]+)", README)) <= set(targets)
    for page in re.findall(r"`(docs/[^`]+|[A-Z]+\.md)`", README):
        assert (ROOT / page).is_file()
