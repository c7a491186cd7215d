"""Whether a model understands options, asked once for all who wish the same."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from sluice.studio.composing.client import ComposingClient
from sluice.studio.composing.options import ComposingOptions

_SECONDS_KEPT = 10.0
_MOST_KEPT = 500


class OptionChecks:
    """What the composing processes say of options, kept for some seconds.

    Most visitors wish for nothing in particular, and the answer does not depend on the seed.
    """

    def __init__(self, client: ComposingClient) -> None:
        self._client = client
        self._kept: dict[Any, tuple[float, asyncio.Task[ComposingOptions]]] = {}

    async def find_model(self, options: ComposingOptions) -> str:
        """The fingerprint of the model that composes with these options.

        Raises:
            StudioError: an option that the model refuses, with its field, or no process answers.
        """
        if options.kind != "compose":
            return (await self._client.check(options)).model
        key = (
            options.model,
            options.dance,
            options.meter,
            options.key,
            options.mode,
            options.start,
            options.form,
        )
        until, task = self._kept.get(key, (0.0, None))
        if task is None or time.monotonic() > until:
            task = asyncio.create_task(self._client.check(options))
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (time.monotonic() + _SECONDS_KEPT, task)
        try:
            return (await asyncio.shield(task)).model
        except Exception:
            self._kept.pop(key, None)
            raise
