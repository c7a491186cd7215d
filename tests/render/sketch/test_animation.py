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
    turns = []
    for step in range(steps):
        (line,) = re.findall(rf"@keyframes step-{step} {{ (.*) }}", style.text)
        frames = re.findall(r"([\d.]+)% { opacity: ([\d.]+) }", line)
        turns.append([(float(at), float(opacity)) for at, opacity in frames])
    full = [next(at for at, opacity in frames if opacity == 1) for frames in turns]
    assert full == sorted(set(full)) and full[0] == 0 < full[-1] < 100
    assert [frames[0][1] for frames in turns] == [1] + [0] * (steps - 1)
    for frames, following in zip(turns, full[1:], strict=False):
        assert 0 < dict(frames)[following] < 1  # quiet as soon as the next step is there
        assert frames[-1] == (100, 1)  # at the end the whole
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
