"""Tunes over a socket, against what `Composer` gives without one."""

from __future__ import annotations

import asyncio
import socket
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest

from composing_process import as_arguments, collect, run, stream
from sluice.studio.composing.client import ComposingClient, ComposingUnavailableError
from sluice.studio.composing.options import MAX_SEED, ComposingOptions
from sluice.studio.composing.protocol import ComposingEvent
from sluice.studio.composing.stored_tune import restore_tune
from sluice.studio.errors import StudioError
from sluice.tunes.composition.composer import Composer

OPTIONS: list[dict[str, Any]] = [
    {},
    {"seed": MAX_SEED, "dance": "jig", "key": "A", "chords": True},
    {"seed": 4, "key": "D", "mode": "mix", "meter": "6/8", "title": "In its manner"},
    {"seed": 5, "start": "[M:6/8][K:Em] G2 *2 F* | B3", "chords": True},
    {"seed": 6, "form": False, "temperature": 1.7},
    {"seed": 7, "start": 'K:D\nT:Mine\n"D"~d2fa d2fa|', "temperature": 0.3},
]


@pytest.mark.parametrize("wishes", OPTIONS)
def test_a_stream_gives_the_tune_of_compose(
    client_of_process: ComposingClient, bundled: Composer, wishes: dict[str, Any]
) -> None:
    options = ComposingOptions(model=bundled.fingerprint, **wishes)
    code = f"equal {sorted(wishes.items())}"[:64]
    first, *between, last = stream(client_of_process, code, options)
    (tune,) = bundled.compose(**as_arguments(options))
    assert (first.kind, last.kind) == ("start", "done")
    assert first.data["seed"] == str(options.seed) and first.data["model"] == bundled.fingerprint
    assert (first.data["key"], first.data["meter"]) == (tune.key.name, tune.meter)
    assert (first.data["dance"], first.data["title"]) == (tune.rhythm, tune.title)
    assert ComposingOptions.parse(first.data["options"]) == options
    assert last.data["abc"] == tune.abc() and tuple(last.data["tokens"]) == tune.tokens
    assert restore_tune(last.data["tune"]) == tune
    assert [event.number for event in (first, *between, last)] == [*range(1, len(between) + 3)]
    if all(event.kind == "tokens" for event in between):
        told = [token for event in between for token in event.data["t"]]
        assert tuple(told) == tune.tokens
    shown = [event.data["abc"] for event in between if "abc" in event.data]
    assert len(shown) > len(tune.score.bars) - 3
    assert sum(letter.isalpha() for letter in shown[0].split("K:")[1].split("\n")[1]) == 1 or (
        options.start
    )


@pytest.mark.exhaustive
def test_fifty_at_once_are_the_same_tunes(
    client_of_process: ComposingClient, bundled: Composer
) -> None:
    options = [ComposingOptions(model=bundled.fingerprint, seed=seed) for seed in range(50)]

    async def collect_all() -> list[list[ComposingEvent]]:
        return await asyncio.gather(
            *(collect(client_of_process.stream(f"fifty {one.seed}", one)) for one in options)
        )

    found = run(collect_all)
    expected = [tune.abc() for tune in bundled.compose(50)]
    assert [events[-1].data["abc"] for events in found] == expected


def test_whoever_asks_again_gets_what_follows(
    client_of_process: ComposingClient, composing_address: str, small: Composer
) -> None:
    options = ComposingOptions(model=small.fingerprint, seed=3)

    async def read_in_parts() -> list[ComposingEvent]:
        found: list[ComposingEvent] = []
        while not found or not found[-1].is_final:
            other = ComposingClient([composing_address])
            after = found[-1].number if found else 0
            async with aclosing(other.stream("again", options, after)) as events:
                async for event in events:
                    found.append(event)
                    if len(found) % 3 == 0:
                        break
        return found

    found = run(read_in_parts)
    assert found == stream(client_of_process, "again", options)
    assert found == stream(client_of_process, "never before", options)
    for after in (1, len(found) - 1, len(found), len(found) + 5):
        for code in ("again", f"new {after}"):
            assert stream(client_of_process, code, options, after) == found[after:]


def test_a_model_is_described_with_its_card(
    client_of_process: ComposingClient, bundled: Composer, small: Composer
) -> None:
    first, second = run(client_of_process.list_models)
    assert (first.fingerprint, second.fingerprint) == (bundled.fingerprint, small.fingerprint)
    assert first.name == "a-bundled" and "jig" in first.dances and "6/8" in first.meters
    assert {"maj", "mix"} <= {*first.modes} and first.keys[0] == "D"
    assert (second.name, second.card) == ("A small model", "# A small model\n\nIt knows nothing.\n")
    assert second.dances == ("jig", "reel")


@pytest.mark.parametrize(
    ("wishes", "field", "sentence"),
    [
        ({"dance": "polka"}, "dance", "no tune of the kind 'polka'"),
        ({"dance": "gavotte"}, "dance", "gavotte"),
        ({"meter": "7/8"}, "meter", "meter must be one"),
        ({"mode": "loc"}, "mode", "mode must be one"),
        ({"key": "H"}, "key", "key must be one such as"),
        ({"key": "Em", "mode": "maj"}, "mode", "'Em' is not of the mode 'maj'"),
        ({"dance": "jig", "meter": "4/4"}, "meter", "meter of a jig must be 6/8"),
        ({"start": "hello there"}, "start", "The start must be notes in ABC"),
        ({"start": "[M:6/8]c2", "meter": "4/4"}, "start", "The start says M:6/8, but"),
        ({"start": "*" * 1500}, "start", "The start has 15.. notes, .* too many for a tune"),
        ({"model": "0" * 64}, "model", "choose another one"),
    ],
)
def test_a_wrong_option_is_refused_with_its_field(
    client_of_process: ComposingClient, wishes: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(StudioError, match=sentence) as refusal:
        run(lambda: client_of_process.check(ComposingOptions(**wishes)))
    assert refusal.value.field == field


def test_a_right_option_is_completed(client_of_process: ComposingClient, bundled: Composer) -> None:
    options = ComposingOptions(seed=MAX_SEED, start="c2 *", key="D", dance="reel")
    found = run(lambda: client_of_process.check(options))
    assert found == ComposingOptions(**{**vars(options), "model": bundled.fingerprint})


def test_a_wrong_option_of_a_stream_is_a_problem(client_of_process: ComposingClient) -> None:
    (event,) = stream(client_of_process, "wrong", ComposingOptions(meter="7/8"))
    assert event.kind == "problem" and event.data["field"] == "meter"


def test_a_cancelled_tune_ends(client_of_process: ComposingClient) -> None:
    options = ComposingOptions(seed=1)

    async def cancel() -> list[ComposingEvent]:
        found = []
        async for event in client_of_process.stream("cancelled", options):
            found.append(event)
            if len(found) == 2:
                assert await client_of_process.cancel("cancelled")
        return found

    found = run(cancel)
    assert found[-1].data == {"sentence": "This tune was cancelled.", "field": ""}
    assert not run(lambda: client_of_process.cancel("cancelled"))
    assert stream(client_of_process, "cancelled", options)[-1].kind == "done"


def test_another_tune_of_the_same_code_is_refused(client_of_process: ComposingClient) -> None:
    assert stream(client_of_process, "taken", ComposingOptions(seed=1))[-1].kind == "done"
    with pytest.raises(StudioError, match="Another tune has this code"):
        stream(client_of_process, "taken", ComposingOptions(seed=2))


def test_one_who_reads_nothing_stops_nobody(
    client_of_process: ComposingClient, composing_address: str, bundled: Composer
) -> None:
    stuck = []
    for _ in range(30):
        opened = socket.socket(socket.AF_UNIX)
        opened.connect(composing_address.removeprefix("unix:"))
        with suppress(OSError):
            opened.sendall(b"\x00\x00")
        stuck.append(opened)
    options = ComposingOptions(model=bundled.fingerprint, seed=8)

    async def listen_slowly() -> str:
        async with aclosing(client_of_process.stream("slow", options)) as slow:
            await anext(slow)
            others = [
                collect(client_of_process.stream(f"quick {seed}", ComposingOptions(seed=seed)))
                for seed in range(4)
            ]
            assert all(events[-1].kind == "done" for events in await asyncio.gather(*others))
            *_, last = [event async for event in slow]
            return str(last.data["abc"])

    assert run(listen_slowly) == bundled.compose(seed=8)[0].abc()
    for opened in stuck:
        opened.close()


def test_no_process_is_said_in_a_sentence(tmp_path: Path) -> None:
    client = ComposingClient([f"unix:{tmp_path / 'none'}"], patience=0.2)
    with pytest.raises(ComposingUnavailableError, match="cannot be composed at this moment"):
        stream(client, "a", ComposingOptions())
    with pytest.raises(ComposingUnavailableError):
        run(client.list_models)
    with pytest.raises(ComposingUnavailableError):
        run(lambda: client.check(ComposingOptions()))
    assert run(client.get_status) == [None]
    with pytest.raises(StudioError, match="no composing process"):
        ComposingClient([])
