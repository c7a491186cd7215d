"""A process of its own that reads one uploaded file and writes it anew: sound or picture.

Started as `python -m sluice.studio.security.decoding KIND PATH`. What is hostile in the file
meets limits of memory and time here, and nothing but samples or pixels comes out: first a line
of JSON, then the new file.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

from sluice.studio.errors import StudioError

MAX_MINUTES = 15
MAX_SIDE = 1600
MAX_PIXELS = 50_000_000
_MEMORY, _CPU_SECONDS, _FILE = 1500 * 2**20, 60, 64 * 2**20
_BLOCK = 4096
_MP3_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}
_SOUNDS = {"WAV", "WAVEX", "RF64", "AIFF", "FLAC", "OGG", "MP3"}
_IMAGES = ("PNG", "JPEG", "GIF", "WEBP")


class DecodingError(StudioError):
    """Why a file is not taken: `unreadable`, `long`, `large` or `empty`."""


def decode_sound(path: Path) -> tuple[dict[str, Any], bytes]:
    """A sound as MP3, or as OGG at rates that MP3 has not.

    Raises:
        DecodingError: it cannot be read, has no samples or lasts too long.
    """
    import numpy as np
    import soundfile

    written = io.BytesIO()
    try:
        with soundfile.SoundFile(path) as source:
            rate, channels = source.samplerate, source.channels
            if source.format not in _SOUNDS or not 1 <= channels <= 8 or not 4000 <= rate <= 192000:
                raise DecodingError("unreadable")
            is_mp3 = rate in _MP3_RATES
            kind = {"format": "MP3"} if is_mp3 else {"format": "OGG", "subtype": "VORBIS"}
            count = 0
            with soundfile.SoundFile(
                written, "w", samplerate=rate, channels=min(channels, 2), **kind
            ) as target:
                for block in source.blocks(_BLOCK, dtype="float32", always_2d=True):
                    count += len(block)
                    if count > MAX_MINUTES * 60 * rate:
                        raise DecodingError("long")
                    if channels > 2:
                        block = np.repeat(block.mean(axis=1, keepdims=True), 2, axis=1)
                    target.write(np.clip(np.nan_to_num(block), -1.0, 1.0))
    except DecodingError:
        raise
    except (soundfile.LibsndfileError, ValueError) as error:
        raise DecodingError("unreadable") from error
    if count == 0:
        raise DecodingError("empty")
    mime = "audio/mpeg" if is_mp3 else "audio/ogg"
    return {"mime": mime, "seconds": count / rate}, written.getvalue()


def decode_image(path: Path) -> tuple[dict[str, Any], bytes]:
    """A picture as WebP, upright, at most `MAX_SIDE` pixels wide and high.

    Raises:
        DecodingError: it cannot be read, or has too many pixels.
    """
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses twice as many
    try:
        with Image.open(path, formats=_IMAGES) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DecodingError("large")
            image.verify()
        with Image.open(path, formats=_IMAGES) as image:
            image.draft("RGB", (MAX_SIDE, MAX_SIDE))
            upright = ImageOps.exif_transpose(image)
            has_alpha = "A" in upright.getbands() or "transparency" in upright.info
            plain = upright.convert("RGBA" if has_alpha else "RGB")
    except Image.DecompressionBombError as error:
        raise DecodingError("large") from error
    except (DecodingError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise whatever their input leads them to
        raise DecodingError("unreadable") from error
    plain.thumbnail((MAX_SIDE, MAX_SIDE))
    clean = Image.frombytes(plain.mode, plain.size, plain.tobytes())  # without any of its data
    written = io.BytesIO()
    clean.save(written, "WEBP", quality=82)
    return {"mime": "image/webp", "seconds": None}, written.getvalue()


def _limit_process() -> None:
    if sys.platform == "win32":
        return
    import os
    import resource

    os.nice(10)
    for what, limit in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, _FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (bound, bound))


def _main(kind: str, path: str) -> None:
    _limit_process()
    try:
        found, content = (decode_sound if kind == "sound" else decode_image)(Path(path))
    except DecodingError as error:
        found, content = {"problem": str(error)}, b""
    sys.stdout.buffer.write(json.dumps(found).encode() + b"\n" + content)


if __name__ == "__main__":
    _main(*sys.argv[1:])
