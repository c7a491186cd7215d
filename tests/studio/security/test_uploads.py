"""Files that members send: what they are is found out, not believed."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import Media
from sluice.studio.errors import StudioError
from sluice.studio.security import uploads
from sluice.studio.security.uploads import MediaKind, decode_upload, get_media_path, store_upload

SCRIPT = b"<script>alert(document.cookie)</script>"


def make_sound(
    format: str = "WAV", seconds: float = 1.0, rate: int = 44100, channels: int = 1
) -> bytes:
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    written = io.BytesIO()
    with soundfile.SoundFile(written, "w", rate, channels, format=format) as file:
        file.artist, file.comment = "Secret Name", "At home"
        for start in range(0, len(wave), 4096):
            file.write(np.repeat(wave[start : start + 4096, None], channels, axis=1))
    return written.getvalue()


def make_image(format: str = "PNG", size: tuple[int, int] = (40, 20), **options: object) -> bytes:
    written = io.BytesIO()
    image = Image.new("RGB", size, "red")
    image.paste("blue", (0, 0, size[0] // 2, size[1]))
    image.save(written, format, **options)
    return written.getvalue()


def decode(content: bytes, name: str, kind: MediaKind = "sound") -> uploads.DecodedFile:
    return decode_upload(io.BytesIO(content), name, kind)


@pytest.mark.parametrize(
    ("format", "name", "channels"),
    [("WAV", "a.wav", 2), ("FLAC", "a.FLAC", 1), ("OGG", "a.ogg", 2), ("MP3", "a.mp3", 1),
     ("AIFF", "a.aif", 6)],
)  # fmt: skip
def test_a_sound_is_written_anew(format: str, name: str, channels: int) -> None:
    original = make_sound(format, 1.0, channels=channels)
    decoded = decode(original, name)
    assert decoded.mime == "audio/mpeg"
    samples, rate = soundfile.read(io.BytesIO(decoded.content), always_2d=True)
    assert samples.shape[1] == min(channels, 2)
    assert decoded.seconds == pytest.approx(1.0, abs=0.06)  # MP3 pads to whole frames
    spectrum = np.abs(np.fft.rfft(samples[: rate // 2, 0]))
    assert 2 * np.argmax(spectrum) == pytest.approx(440, abs=3)
    assert b"Secret" not in decoded.content


def test_a_rate_that_mp3_has_not_becomes_ogg() -> None:
    decoded = decode(make_sound(rate=96000), "a.wav")
    assert (decoded.mime, decoded.content[:4]) == ("audio/ogg", b"OggS")


@pytest.mark.parametrize(("format", "name"), [("PNG", "a.png"), ("JPEG", "a.jpg"), ("GIF", "a.gif"),
                                              ("WEBP", "a.webp")])  # fmt: skip
def test_a_picture_is_written_anew(format: str, name: str) -> None:
    decoded = decode(make_image(format, (3200, 1000)), name, "image")
    image = Image.open(io.BytesIO(decoded.content))
    assert (image.format, image.size, decoded.mime) == ("WEBP", (1600, 500), "image/webp")


def test_a_picture_stands_upright_and_tells_nothing() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "taken at home"  # turned by a quarter
    decoded = decode(make_image("JPEG", exif=exif), "a.jpeg", "image")
    image = Image.open(io.BytesIO(decoded.content))
    assert image.size == (20, 40)
    assert not image.getexif()
    assert b"home" not in decoded.content
    assert image.convert("RGB").getpixel((10, 5))[2] > 200  # blue was left, and is now on top


LIES: list[tuple[bytes, str, MediaKind]] = [
    (b"", "a.mp3", "sound"),
    (b"\xff", "a.mp3", "sound"),
    (b"\xff\xfb", "a.mp3", "sound"),
    (b"<html>" + SCRIPT, "a.mp3", "sound"),
    (b"ID3" + SCRIPT * 100, "a.mp3", "sound"),
    (b"\xff\xfb\x90\x00" + SCRIPT * 100, "a.mp3", "sound"),
    (b"RIFF\xff\xff\xff\xffWAVEfmt " + b"\xff" * 200, "a.wav", "sound"),
    (b"OggS" + bytes(200), "a.ogg", "sound"),
    (b"fLaC" + b"\xff" * 200, "a.flac", "sound"),
    (b"#!/bin/sh\nrm -rf /\n", "a.wav", "sound"),
    (b"MZ" + bytes(300), "a.mp3", "sound"),
    (make_sound("WAV", 0.0), "a.wav", "sound"),
    (make_sound("WAV")[:30], "a.wav", "sound"),
    (make_sound("WAV"), "a.mp3", "sound"),
    (make_sound("WAV"), "a.wav.html", "sound"),
    (make_sound("WAV"), "a", "sound"),
    (make_image("PNG"), "a.mp3", "sound"),
    (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "a.svg", "image"),
    (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "a.png", "image"),
    (b"GIF89a/*" + SCRIPT * 10 + b"*/=0;", "a.gif", "image"),
    (make_image("PNG")[:60], "a.png", "image"),
    (make_image("JPEG")[:100], "a.jpg", "image"),
    (make_image("PNG"), "a.jpg", "image"),
    (make_image("BMP"), "a.png", "image"),
    (make_sound("WAV"), "a.webp", "image"),
    (b"%PDF-1.4 " + SCRIPT, "a.jpg", "image"),
]


@pytest.mark.parametrize(("content", "name", "kind"), LIES, ids=range(len(LIES)))
def test_a_file_that_lies_is_refused_in_a_sentence(
    content: bytes, name: str, kind: MediaKind
) -> None:
    with pytest.raises(StudioError) as caught:
        decode(content, name, kind)
    assert caught.value.field == "file"
    assert caught.value.sentence.endswith(".")


def test_what_hides_behind_a_picture_does_not_come_out() -> None:
    content = make_image("GIF") + b";" + SCRIPT
    assert b"script" not in decode(content, "a.gif", "image").content


def test_a_picture_of_too_many_pixels_is_refused() -> None:
    bomb = make_image("PNG", (8000, 7000))
    assert len(bomb) < 500_000
    with pytest.raises(StudioError, match="50 million"):
        decode(bomb, "a.png", "image")


def test_a_sound_that_is_too_long_is_refused(tmp_path: Path) -> None:
    silence = io.BytesIO()
    with soundfile.SoundFile(silence, "w", 8000, 1, format="FLAC") as file:
        for _ in range(16 * 60):
            file.write(np.zeros(8000))
    with pytest.raises(StudioError, match="15 minutes"):
        decode(silence.getvalue(), "a.flac")


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(StudioError, match="20 MB"):
        decode(b"RIFF" + bytes(20 * 2**20), "a.wav")


def test_a_file_is_stored_under_its_hash_once(database: Database, tmp_path: Path) -> None:
    names = []
    for _ in range(2):
        with database.open_session(write=True) as session:
            media = store_upload(
                session, tmp_path, io.BytesIO(make_image()), "a.png", "image", None
            )
            names.append(media.sha256)
    assert names[0] == names[1]
    files = [path for path in (tmp_path / "media").rglob("*") if path.is_file()]
    assert files == [get_media_path(tmp_path, names[0])]
    assert files[0].stat().st_size == media.size


def test_a_full_disk_leaves_nothing_half_written(database: Database, tmp_path: Path) -> None:
    code = f"""
import io, resource, signal, sys
from pathlib import Path
from sluice.studio.archive.database import Database
from sluice.studio.errors import StudioError
from sluice.studio.security.uploads import store_upload
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
content = sys.stdin.buffer.read()
from sluice.studio.security import uploads
real = uploads.write_atomically
def write(path, data):
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    real(path, data)
uploads.write_atomically = write
database = Database({str(database.engine.url)!r})
try:
    with database.open_session(write=True) as session:
        store_upload(session, Path({str(tmp_path)!r}), io.BytesIO(content), "a.wav", "sound", None)
except StudioError as error:
    print(error.sentence)
"""
    done = subprocess.run([sys.executable, "-c", code], input=make_sound(), capture_output=True)
    assert done.stdout.startswith(b"The file could not be stored: File too large."), done.stderr
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []
    with database.open_session() as session:
        assert session.query(Media).count() == 0


def test_the_decoder_is_stopped_at_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_SECONDS", 0.05)
    start = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of all children so far
    with pytest.raises(StudioError, match="no sound that can be read"):
        decode(make_sound("WAV", 60.0), "a.wav")
    assert time.monotonic() - start < 30
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert after <= max(before, 1.6 * 2**20)
