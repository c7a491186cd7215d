"""What precisions cost models that other people trained: a speaker encoder and a pronouncer.

    pip install --no-deps Resemblyzer g2p_en
    pip install librosa webrtcvad scipy setuptools
    apt-get install espeak-ng alsa-utils
    python bench/int8_models.py

The weights are those of the packages' wheels. Speech comes from espeak-ng's voices and, if present,
from the recordings of alsa-utils; features are computed by the package.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from paired import Report, measure_paired
from torch import Tensor, nn

import sluice

PRECISIONS = ("float32", "bfloat16", "int8")
VOICES = """en-us en-gb en-gb-scotland en-us+f2 en-us+f4 en-gb+m3 en-us+m7 en-gb+f1 en-us+whisper
    en-us+croak de fr-fr es it pt-br pl sv""".split()
SENTENCES = (
    "The quick brown fox jumps over the lazy dog while the children watch from the old bridge.",
    "She bought six spoons of fresh snow peas, five thick slabs of blue cheese and a plastic toad.",
    "Recurrent networks remember what they have heard, and forget what they do not need any "
    "longer.",
)
RECORDINGS = Path("/usr/share/sounds/alsa")
FRAMES = 160  # of an utterance: what the encoder was trained on
WORDS = """activationist sluice blorptastic kernelized quantization phonemicist tensorflux gatewise
    overfitted zoneout""".split()


def main() -> None:
    """Compare the models' outputs, measure the encoder's time, and save the table."""
    missing = [name for name in ("resemblyzer", "g2p_en") if find_spec(name) is None]
    if missing:
        raise SystemExit(f"{' and '.join(missing)} missing; install what the docstring lists")
    columns = ["model", "", "precision", "least cosine", "mean cosine", "phonemes", "time"]
    notes = [
        "Weights as PyPI serves them: Resemblyzer 0.1.4 (LSTM 40 → 256 × 3, a linear map, ReLU, "
        "L2 norm) and g2p_en 2.1.0 (an encoder and a decoder, each a GRU 256 → 256).",
        f"Speech: {len(SENTENCES)} sentences by each of {len(VOICES)} voices of espeak-ng, and the "
        "recordings of alsa-utils, cut to utterances of 1.6 s; features are powers in 40 bands.",
        "normalised: what the package's preprocessing makes; loud: peaks at 0.9; quiet: at 0.02, "
        "below what preprocessing lets through.",
        "Cosines are those to the embeddings of `torch.nn.LSTM` in float64; phonemes: words whose "
        "phonemes are those of g2p_en's own NumPy code; the time is that of the recurrent layers "
        "on 64 utterances, as a part of torch's.",
    ]
    report = Report("int8_models", "Models of others, by precision", columns, notes)
    with torch.no_grad():
        add_speakers(report)
        add_words(report)
    report.keep()


def add_speakers(report: Report) -> None:
    """The encoder's rows: every volume of the same speech."""
    folder = Path(str(find_spec("resemblyzer").submodule_search_locations[0]))  # type: ignore
    weights = torch.load(folder / "pretrained.pt", map_location="cpu")["model_state"]
    parts = {k.removeprefix("lstm."): v for k, v in weights.items() if k.startswith("lstm.")}
    layers, exact = sluice.nn.LSTM(40, 256, 3).eval(), nn.LSTM(40, 256, 3).double()
    layers.load_state_dict(parts)
    exact.load_state_dict(parts)

    def embed(last: Tensor) -> Tensor:
        mapped = last.double() @ weights["linear.weight"].double().T
        return nn.functional.normalize((mapped + weights["linear.bias"].double()).relu(), dim=1)

    def run(precision: str, x: Tensor) -> Tensor:
        layers.precision = precision
        return layers(x)[1][0][-1]

    utterances = read_utterances()
    timed = utterances["normalised"][:, :64].contiguous()
    rival = nn.LSTM(40, 256, 3).eval()
    rival.load_state_dict(parts)
    calls: dict[str, Callable[[], object]] = {"torch": partial(rival, timed)}
    seconds = measure_paired(calls | {name: partial(run, name, timed) for name in PRECISIONS})
    for volume, x in utterances.items():
        expected = embed(exact(x.double())[1][0][-1])
        for name in PRECISIONS:
            cosine = (embed(run(name, x)) * expected).sum(1)
            kind = f"{x.shape[1]} utterances, {volume}"
            figures = [f"{cosine.min():.7f}", f"{cosine.mean():.7f}"]
            ratio = f"{seconds[name] / seconds['torch']:.2f}"
            report.add("Resemblyzer", kind, name, *figures, "", ratio)


def read_utterances() -> dict[str, Tensor]:
    """Features of the same utterances at each volume: (time, batch, bands)."""
    audio = import_audio()
    found: dict[str, list[Any]] = {"normalised": [], "loud": [], "quiet": []}
    for path in speak():
        wave = audio.preprocess_wav(path)
        if not len(wave):
            continue
        unit = wave / np.abs(wave).max()
        for volume, scaled in zip(found, (wave, 0.9 * unit, 0.02 * unit), strict=True):
            mel = audio.wav_to_mel_spectrogram(scaled.astype(np.float32))
            starts = range(0, len(mel) - FRAMES + 1, FRAMES // 2)
            found[volume] += [mel[start : start + FRAMES] for start in starts]
    return {
        volume: torch.tensor(np.stack(mels)).transpose(0, 1).contiguous()
        for volume, mels in found.items()
    }


def import_audio() -> Any:
    """The package's features, without its model and under the names that scipy has today."""
    folder = find_spec("resemblyzer").submodule_search_locations  # type: ignore[union-attr]
    package = types.ModuleType("resemblyzer")
    package.__path__ = list(folder or [])
    sys.modules["resemblyzer"] = package
    image = importlib.import_module("scipy.ndimage")
    sys.modules["scipy.ndimage.morphology"] = image
    return importlib.import_module("resemblyzer.audio")


def speak() -> Iterator[Path]:
    """Sound files: sentences by espeak-ng, and recordings."""
    with tempfile.TemporaryDirectory() as folder:
        for voice in VOICES:
            for number, sentence in enumerate(SENTENCES):
                path = Path(folder) / f"{voice}-{number}.wav"
                speed = str(140 + 20 * number)
                command = ["espeak-ng", "-v", voice, "-s", speed, "-w", str(path), sentence]
                subprocess.run(command, check=True)
                yield path
    yield from sorted(RECORDINGS.glob("*.wav"))


def add_words(report: Report) -> None:
    """The pronouncer's rows."""
    model = import_pronouncer()
    expected = [model.predict(word) for word in WORDS]
    for name in PRECISIONS:
        found = [pronounce(model, word, name) for word in WORDS]
        equal = sum(a == b for a, b in zip(found, expected, strict=True))
        report.add("g2p_en", f"{len(WORDS)} words", name, "", "", f"{equal} of {len(WORDS)}", "")


def import_pronouncer() -> Any:
    """g2p_en's model alone: its dictionaries, which need downloads, do not take part."""
    folder = find_spec("g2p_en").submodule_search_locations  # type: ignore[union-attr]
    source = Path((folder or [""])[0]) / "g2p.py"
    for name in ("nltk", "nltk.corpus", "nltk.tokenize", "g2p_en", "g2p_en.expand"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["nltk"].pos_tag = None  # type: ignore[attr-defined]
    sys.modules["nltk"].data = types.SimpleNamespace(find=lambda name: None)  # type: ignore
    sys.modules["nltk.corpus"].cmudict = types.SimpleNamespace(dict=dict)  # type: ignore
    sys.modules["nltk.tokenize"].TweetTokenizer = lambda: types.SimpleNamespace(  # type: ignore
        tokenize=str.split
    )
    sys.modules["g2p_en.expand"].normalize_numbers = None  # type: ignore[attr-defined]
    sys.modules["g2p_en"].__path__ = list(folder or [])
    spec = importlib.util.spec_from_file_location("g2p_en.g2p", source)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.G2p()


def pronounce(model: Any, word: str, precision: str) -> list[str]:
    """`model.predict` with its two cells run as layers: the decoder one step at a time."""
    encoder, decoder = (make_layer(model, name, precision) for name in ("enc", "dec"))
    letters = torch.from_numpy(model.encode(word)).transpose(0, 1).contiguous()
    state = encoder(letters)[1]
    found: list[str] = []
    token = 2  # the start
    while len(found) < 20:
        x = torch.from_numpy(model.dec_emb[token]).reshape(1, 1, -1)
        state = decoder(x, state)[1]
        token = int((state[0].numpy() @ model.fc_w.T + model.fc_b).argmax())
        if token == 3:  # the end
            break
        found.append(model.idx2p[token])
    return found


def make_layer(model: Any, part: str, precision: str) -> sluice.nn.GRU:
    """A layer with the encoder's or the decoder's weights."""
    units, width = np.shape(getattr(model, f"{part}_w_ih"))
    layer = sluice.nn.GRU(width, units // 3).eval()
    names = {"weight": "w", "bias": "b"}
    for kind, short in names.items():
        for side in ("ih", "hh"):
            value = torch.from_numpy(getattr(model, f"{part}_{short}_{side}"))
            getattr(layer, f"{kind}_{side}_l0").copy_(value)
    layer.precision = precision
    return layer


if __name__ == "__main__":
    main()
