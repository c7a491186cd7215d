"""The numbers of the site, and who may read them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from sluice.studio.web.metrics import RequestMetrics


def read(app: FastAPI, address: str, **headers: str) -> tuple[int, str]:
    app.state.studio.composing._patience = 0.0
    with TestClient(app, client=(address, 5000)) as browser:
        answer = browser.get("/metrics", headers=headers)
        return answer.status_code, answer.text


def test_requests_are_counted_by_route_and_status(studio_app: FastAPI) -> None:
    with TestClient(studio_app, client=("127.0.0.1", 5000)) as browser:
        for path in ("/tunes", "/tunes", "/tunes/999", "/nowhere"):
            browser.get(path)
    _, text = read(studio_app, "127.0.0.1")
    counts = dict(re.findall(r"studio_request_seconds_count{(.*?)} (\d+)", text))
    assert counts['method="GET",route="/tunes",status="200"'] == "2"
    assert counts['method="GET",route="none",status="404"'] == "1"
    assert any(label.endswith('status="404"') and "{" in label for label in counts)
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) \w+ .+|\w+(\{.*\})? [0-9.e+-]+", line), line


@pytest.mark.parametrize(
    ("address", "headers", "allowed", "status"),
    [
        ("127.0.0.1", {}, (), 200),
        ("::1", {}, (), 200),
        ("203.0.113.9", {}, (), 403),
        ("10.1.2.3", {}, ("10.0.0.0/8",), 200),
        ("10.1.2.3", {}, ("10.2.0.0/16",), 403),
        ("127.0.0.1", {"x-forwarded-for": "203.0.113.9"}, (), 403),
        ("testclient", {}, (), 403),
    ],
)
def test_only_this_machine_and_named_networks_read_them(
    studio_app: FastAPI, address: str, headers: dict[str, str], allowed: tuple[str, ...],
    status: int,
) -> None:  # fmt: skip
    studio = studio_app.state.studio
    studio.config = replace(studio.config, metrics_from=allowed)
    assert read(studio_app, address, **headers)[0] == status


def test_processes_of_a_machine_are_summed_and_go_on_after_a_restart(tmp_path: Path) -> None:
    first, second = RequestMetrics(tmp_path, 0), RequestMetrics(tmp_path, 1)
    first.add("GET", "/", 200, 0.003)
    first.add("GET", "/", 200, 99.0)
    second.add("GET", "/", 200, 0.2)
    first.write()
    second.write()
    again = RequestMetrics(tmp_path, 0)
    again.add("GET", "/", 200, 0.2)
    ((method, route, status, seconds, counts),) = again.list_all()
    assert (method, route, status, round(seconds, 3)) == ("GET", "/", 200, 99.403)
    assert (counts[0], counts[5], counts[-1]) == (1, 2, 1)


def test_a_damaged_file_of_counts_is_left_aside(tmp_path: Path) -> None:
    for content in ("", "[1]", '{"GET / 200": [1]}', "\0"):
        (tmp_path / "requests-0.json").write_text(content)
        assert list(RequestMetrics(tmp_path, 0).list_all()) == []
    (tmp_path / "requests-1.json").write_text(json.dumps({"GET / 200": [0.1, *[0] * 11, 1]}))
    assert len(list(RequestMetrics(tmp_path, 0).list_all())) == 1
