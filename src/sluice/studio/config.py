"""What a keeper sets when starting the studio."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class StudioConfig:
    """Where the studio keeps its files, and how it is reached.

    Attributes:
        folder: of the database, uploads, cached files and the log.
        database: a URL of SQLAlchemy; SQLite in the folder if empty.
        host, port: where it listens.
        workers: number of web processes.
        models: a folder of `.safetensors` files; the bundled model if None.
        composers: addresses of composing processes, `unix:/path` or `tcp://host:port`; if none,
            one is started on this machine.
        mail: `smtp://user:password@host:port`, `smtps://…` or `file:folder`; without it no mail is
            sent and members come by invitation.
        address: the public address, such as `https://tunes.example`, as links in mails have it.
        behind_proxy: trust `X-Forwarded-For` and `X-Forwarded-Proto` of a proxy on this machine or
            in a private network.
        metrics_from: networks, such as `10.0.0.0/8`, from which `/metrics` may be read; this
            machine always may.
        language: of visitors whose browser asks for none that is known.
        title: the name of this site.
        licence: of what visitors may take from it, as stated beside every data set.
    """

    folder: Path = Path("studio")
    database: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    models: Path | None = None
    composers: tuple[str, ...] = ()
    mail: str = ""
    address: str = ""
    behind_proxy: bool = False
    metrics_from: tuple[str, ...] = ()
    language: str = "en"
    title: str = "Sluice Studio"
    licence: str = "CC BY-SA 4.0, by the authors named with each tune"

    @property
    def database_url(self) -> str:
        """The URL of the database."""
        if not self.database:
            return f"sqlite:///{self.folder.resolve() / 'studio.sqlite'}"
        if self.database.startswith(("postgres://", "postgresql://")):
            return "postgresql+psycopg://" + self.database.split("://", 1)[1]
        return self.database

    @property
    def public_address(self) -> str:
        """The address that links in mails begin with, without a slash at its end."""
        host = "localhost" if self.host in ("0.0.0.0", "::") else self.host
        host = f"[{host}]" if ":" in host else host
        return (self.address or f"http://{host}:{self.port}").rstrip("/")

    @property
    def is_secure(self) -> bool:
        """Whether visitors reach it by HTTPS; cookies are then sent over nothing else."""
        return self.public_address.startswith("https://")

    def to_json(self) -> str:
        """As text, for the processes that it is handed to."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> StudioConfig:
        """What `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        values["folder"] = Path(values["folder"])
        values["models"] = Path(values["models"]) if values["models"] else None
        values["composers"] = tuple(values["composers"])
        values["metrics_from"] = tuple(values["metrics_from"])
        return cls(**values)
