"""The animated sketch as a document: its parts, and when they appear."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from cell_list import CELLS
from sluice.render.sketch import animate_sketch, build_layout

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(("name", "theme"), [("lstm", "light"), ("gru", "dark")])
def test_steps_appear_in_order(name: str, theme: str) -> None:
    graph = CELLS[name]().graph
    content = animate_sketch(graph, theme)
    root = ElementTree.fromstring(content)
    style = root.find(f"{SVG}style")
    assert style is not None and style.text is not None
    steps = len(build_layout(graph).placement.steps)
    classes = [node.get("class", "") for node in root.iter(f"{SVG}g")]
    classes_of_steps = {found for found in classes if found.startswith("step-")}
    assert classes_of_steps == {f"step-{step}" for step in range(steps)}
    starts = [
        float(re.search(rf"@keyframes step-{step} {{ 0%, ([\d.]+)%", style.text)[1])  # type: ignore[index]
        for step in range(1, steps)
    ]
    assert starts == sorted(set(starts)) and all(0 < start < 100 for start in starts)
    assert "step-0 {" not in style.text  # the first frame has the first step
    before = style.text.split("@media (prefers-reduced-motion: no-preference)")[0]
    assert "animation" not in before and "opacity" not in before  # the whole sketch is visible
    title = root.find(f"{SVG}title")
    assert title is not None and title.text == f"{graph.name}, step by step"


def test_no_external_resources() -> None:
    text = animate_sketch(CELLS["elman"]().graph).decode()
    assert text == animate_sketch(CELLS["elman"]().graph).decode()
    links = re.findall(r'(?:href|src)="([^"]+)"', text)
    assert all(link.startswith("#") for link in links)
    assert "<script" not in text and "@import" not in text and "url(http" not in text
