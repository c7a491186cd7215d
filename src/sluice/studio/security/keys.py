"""The site's secret key: a file in its folder, from which all that must not be guessed is made."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

_NAME = "secret.key"


@lru_cache
def load_key(folder: Path) -> bytes:
    """The key of the site with this folder; created at the first call.

    Hosts that share a database share this file too.

    Raises:
        OSError: it cannot be read or created.
    """
    path = folder / _NAME
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{_NAME}.{secrets.token_hex(8)}"
        try:
            with os.fdopen(
                os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
            ) as f:
                f.write(secrets.token_hex(32))
                f.flush()
                os.fsync(f.fileno())
            os.link(temporary, path)  # of two processes at once, one succeeds
        except FileExistsError:
            pass
        finally:
            temporary.unlink(missing_ok=True)
    return bytes.fromhex(path.read_text())


def sign(key: bytes, purpose: str, text: str) -> str:
    """64 digits that only who has the key can compute; other ones for another purpose."""
    return hmac.new(key, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()


def is_signature(key: bytes, purpose: str, text: str, signature: str) -> bool:
    """Whether `sign` gave this signature; takes as long whatever is wrong with it."""
    return hmac.compare_digest(sign(key, purpose, text).encode(), signature.encode())
