"""Composing by a program, against a running studio."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

OPTIONS = {"seed": 2**62 + 1, "dance": "jig", "key": "D", "mode": "dor"}


@pytest.fixture
def program(live_studio: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live_studio, timeout=60) as opened:
        yield opened


def test_a_tune_is_composed_streamed_and_downloaded(program: httpx.Client) -> None:
    answer = program.post("/api/v1/compositions", json=OPTIONS)
    assert answer.status_code == 201, answer.text
    assert "set-cookie" not in answer.headers
    tune = answer.json()
    assert (tune["state"], tune["seed"]) == ("done", str(OPTIONS["seed"]))
    assert "M:6/8" in tune["abc"] and "K:Ddor" in tune["abc"].replace(" ", "")
    assert program.get(answer.headers["location"]).json() == tune
    text = program.get(tune["stream"]).text
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert events[-1]["abc"] == tune["abc"]
    assert program.get(tune["files"]["mid"]).content.startswith(b"MThd")


def test_the_same_seed_gives_the_same_tune_and_a_varied_one_differs(program: httpx.Client) -> None:
    first, second = (program.post("/api/v1/compositions", json=OPTIONS).json() for _ in range(2))
    assert first["abc"] == second["abc"] and first["code"] != second["code"]
    wanted = {"kind": "vary", "source": first["code"], "bars": [2, 3], "seed": 1}
    answer = program.post("/api/v1/compositions", json=wanted)
    assert answer.status_code == 201, answer.text
    varied = answer.json()
    assert varied["parent"] == first["code"]
    assert varied["state"] == "done" and varied["abc"] != first["abc"]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"dance": "cha-cha"}, "dance"),
        ({"temperature": 99}, "temperature"),
        ({"seed": 2**63}, "seed"),
        ({"start": "|:zzz!!"}, "start"),
        ({"unknown": 1}, "unknown"),
        ({"bars": [1]}, "bars"),
        ({"kind": "vary"}, "source"),
        ({"kind": "vary", "source": "aaaaaaaaaa"}, ""),
    ],
)
def test_what_is_not_understood_is_refused_with_its_field(
    program: httpx.Client, wanted: dict[str, object], field: str
) -> None:
    answer = program.post("/api/v1/compositions", json=wanted)
    assert answer.status_code in (404, 422)
    assert answer.json()["field"] == field
    assert answer.json()["problem"]


def test_the_models_say_what_may_be_asked(program: httpx.Client) -> None:
    (model,) = program.get("/api/v1/models").json()
    assert "jig" in model["dances"] and "6/8" in model["meters"]
    wanted = {"model": model["fingerprint"], "dance": "reel", "seed": 4}
    assert program.post("/api/v1/compositions", json=wanted).json()["model"] == model["fingerprint"]


def test_health_names_both_parts(live_studio: str) -> None:
    assert httpx.get(f"{live_studio}/healthz").json() == {
        "status": "ok", "database": "ok", "composing": "ok",
    }  # fmt: skip
