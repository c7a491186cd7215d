"""What else a web worker asks: the state of a process, and replays for the glass box."""

from __future__ import annotations

import asyncio

import pytest

from composing_process import collect, run, stream
from sluice.studio.composing.client import ComposingClient
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.composing.protocol import Message
from sluice.studio.errors import StudioError
from sluice.studio.glass.replay import replay_tune
from sluice.tunes.composition.composer import Composer


def test_a_process_tells_its_state(
    client_of_process: ComposingClient, bundled: Composer, small: Composer
) -> None:
    async def ask() -> tuple[Message | None, Message | None]:
        codes = [f"state {number}" for number in range(6)]
        tasks = [
            asyncio.create_task(collect(client_of_process.stream(code, ComposingOptions())))
            for code in codes
        ]
        await asyncio.sleep(0.02)
        (during,) = await client_of_process.get_status()
        await asyncio.gather(*tasks)
        (after,) = await client_of_process.get_status()
        return during, after

    during, after = run(ask)
    assert during is not None and after is not None
    assert during["running"] + during["waiting"] >= 1 and during["connections"] >= 1
    assert after["running"] == after["waiting"] == 0
    assert after["tokens"] > during["tokens"] and after["tokens_per_second"] > 0
    assert after["models"] == [bundled.fingerprint, small.fingerprint]


@pytest.mark.parametrize("wishes", [{"dance": "waltz"}, {"seed": 4, "form": False}])
def test_a_replay_is_that_of_the_glass_box(
    client_of_process: ComposingClient, small: Composer, bundled: Composer, wishes: dict[str, str]
) -> None:
    options = ComposingOptions(model=bundled.fingerprint, **wishes)  # type: ignore[arg-type]
    done = stream(client_of_process, f"replayed {wishes}", options)[-1].data
    found = run(
        lambda: client_of_process.replay(
            bundled.fingerprint, done["tokens"], done["dance"], options
        )
    )
    dance = {"waltz": "air"}.get(done["dance"], done["dance"])
    spelt = bundled.sampler.spelling.encode(done["tokens"], dance)
    request = bundled.stream(**{"seed": options.seed, **wishes}).request  # type: ignore[arg-type]
    assert found == replay_tune(bundled, spelt, request, options.seed)
    bare = run(lambda: client_of_process.replay(bundled.fingerprint, done["tokens"]))
    assert bare[:8] == found[:8]
    with pytest.raises(StudioError, match="not trained on"):
        run(lambda: client_of_process.replay(small.fingerprint, done["tokens"]))
