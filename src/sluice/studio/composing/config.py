"""How a composing process is set up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.studio.composing.addresses import Address
from sluice.studio.errors import StudioError

SECRET_VARIABLE = "SLUICE_COMPOSING_SECRET"
"""The environment variable with the secret that web workers and composing processes share."""


@dataclass(frozen=True)
class ComposingConfig:
    """What a composing process is told at its start.

    Attributes:
        address: where it listens: `unix:/path/of/socket`, readable by its user alone, or
            `tcp://host:port`, which needs a secret.
        models: a folder of `.safetensors` files; the bundled model if None.
        secret: what clients over TCP must know.
        max_running: how many tunes are composed at the same time.
        max_waiting: how many more may wait; what comes then is refused.
        deadline: the seconds after which a tune is given up, from the request on.
        listener_seconds: how long a tune goes on without anybody who listens.
        parent: the process whose end ends this one; none if 0.
    """

    address: str
    models: Path | None = None
    secret: str = ""
    max_running: int = 64
    max_waiting: int = 400
    deadline: float = 60.0
    listener_seconds: float = 10.0
    parent: int = 0

    def check(self) -> None:
        """Find what is wrong before anything is loaded.

        Raises:
            StudioError: no address, TCP without a secret, no model, or a limit below 1.
        """
        if Address.parse(self.address).path is None and not self.secret:
            raise StudioError(
                "A composing process that is reached over TCP needs a secret; give one in the "
                f"environment variable {SECRET_VARIABLE}."
            )
        if self.models is not None and not any(self.models.glob("*.safetensors")):
            raise StudioError(f"There is no .safetensors file in {self.models}; put a model there.")
        limits = (self.max_running, self.max_waiting, self.deadline, self.listener_seconds)
        if not all(limit > 0 for limit in limits) or self.max_running < 1:
            raise StudioError(f"The limits of a composing process must be above 0, got {limits}.")

    def list_arguments(self) -> list[str]:
        """The arguments of `python -m sluice.studio.composing`; the secret is none of them."""
        found = ["--address", self.address, "--parent", str(self.parent)]
        found += ["--max-running", str(self.max_running), "--max-waiting", str(self.max_waiting)]
        found += ["--deadline", str(self.deadline)]
        found += ["--listener-seconds", str(self.listener_seconds)]
        return [*found, "--models", str(self.models)] if self.models else found

    def make_environment(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment for that command: `base` with the secret."""
        return {**base, **({SECRET_VARIABLE: self.secret} if self.secret else {})}
