"""A web process: `python -m sluice.studio.serving.web_process LISTENING NUMBER`."""

from __future__ import annotations

import gc
import logging
import socket
import sys

import uvicorn

from sluice.studio.app import create_app
from sluice.studio.config import StudioConfig
from sluice.studio.serving.events import write_events
from sluice.studio.serving.parent import read_settings

PRIVATE_NETWORKS = (
    "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7,fe80::/10"
)
"""From where a proxy's word is taken on who its visitor is."""

_SECONDS_FOR_ANSWERS = 2


class WebServer(uvicorn.Server):
    """Says when it is ready."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer."""
        await super().startup(sockets)
        if self.started:
            settle()
            logging.getLogger("ready").info("")


def settle() -> None:
    """Spare answers the pauses in which all that was loaded would be searched for garbage, and
    those in which a thread of the database lets no other one run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    sys.setswitchinterval(0.001)


def main() -> None:
    """Answer requests until asked to end."""
    config = StudioConfig.from_json(read_settings())
    listening, number = (int(one) for one in sys.argv[1:])
    write_events()
    server = WebServer(
        uvicorn.Config(
            create_app(config, number),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=config.behind_proxy,
            forwarded_allow_ips=PRIVATE_NETWORKS if config.behind_proxy else None,
            timeout_graceful_shutdown=_SECONDS_FOR_ANSWERS,
            lifespan="on",
        )
    )
    server.run(sockets=[socket.socket(fileno=listening)])


if __name__ == "__main__":
    main()
