"""The page's script composes whole tunes, in node, beside the library's own grammar and ABC."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sluice.export.to_js.program import write_program
from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig
from sluice.tunes.composition.inputs import find_checkpoint
from sluice.tunes.grammar.bars import TuneGrammar
from sluice.tunes.notation.model_tokens import ModelTokens
from sluice.tunes.tune import Tune
from sluice.tunes.web_page import page
from sluice.tunes.web_page.grammar_table import build_table

NODE = shutil.which("node") or shutil.which("nodejs") or ""
pytestmark = pytest.mark.skipif(not NODE, reason="needs node")

SCRIPT = """
const wishes = { temperature: 1, dance: "", mode: "", tonic: "" };
const compose = (options) => {
  const steps = composeTune(table, { ...wishes, ...options });
  let made = { done: false };
  while (!made.done) made = steps.next();
  return made.value;
};
const seeds = Array.from({ length: 20 }, (_, seed) => seed);
const keys = ["C", "D", "Eb", "E", "F", "F#", "G", "A", "Bb", "B"];
console.log(JSON.stringify({
  free: seeds.map((seed) => compose({ seed, tonic: keys[seed % keys.length] })),
  again: compose({ seed: 3, tonic: "Eb" }),
  jig: compose({ seed: 1, dance: "jig", mode: "dor" }),
}));
"""


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    """An untrained model with the vocabulary of the bundled one: it tries whatever is allowed."""
    found = Checkpoint.load(find_checkpoint())
    torch.manual_seed(0)
    shape = LanguageModelConfig(len(found.vocabulary), embedding_size=8, hidden_size=8)
    model = LanguageModel(shape).eval()
    with torch.no_grad():  # so that bars end where they may, also as pickups
        model.readout.bias[found.vocabulary.encode(["|"])] += 4
    return replace(found, model=model)


@pytest.fixture(scope="module")
def composed(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    assert isinstance(checkpoint.model, LanguageModel)
    program = write_program(checkpoint.model, "net", vocabulary=checkpoint.vocabulary)
    folder = tmp_path_factory.mktemp("page")
    assets = Path(page.__file__).parent
    own = [(assets / name).read_text() for name in ("grammar.js", "abc.js", "compose.js")]
    table = f"const table = {json.dumps(build_table(checkpoint))};"
    (folder / "script.mjs").write_text("\n".join([program.text, table, *own, SCRIPT]))
    said = subprocess.run(
        [NODE, "script.mjs"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def read_tune(one: dict[str, Any]) -> Tune:
    tokens = (f"M:{one['meter']}", f"K:C{one['mode']}", *one["body"])
    bpm = int(one["tempo"].partition("=")[2])
    return Tune(
        tokens, title=one["title"], rhythm=one["dance"], tonic=one["tonic"], tempo=bpm
    )  # fmt: skip


def test_what_is_composed_is_whole(checkpoint: Checkpoint, composed: dict[str, Any]) -> None:
    grammar = TuneGrammar(checkpoint.vocabulary)
    spelling = ModelTokens.of_vocabulary(checkpoint.vocabulary)
    seen = set()
    for one in composed["free"]:
        tune = read_tune(one)
        spelt = spelling.encode(tune.tokens, tune.rhythm)
        assert grammar.find_violation(spelt) is None, one["abc"]
        bars = tune.score.bars
        whole = sum(bar.duration for bar in bars) / bars[0].length
        pickup = bars[0].duration / bars[0].length
        assert whole == 16 and len(bars) == (16 if pickup == 1 else 18), one["abc"]
        seen |= {token for token in one["body"] if token[0] in "([-z"}
        seen |= {"pickup"} if pickup < 1 else set()
    assert {"(3", "[", "-", "z", "pickup"} <= seen


def test_the_abc_is_that_of_the_library(composed: dict[str, Any]) -> None:
    for one in composed["free"]:
        tune = read_tune(one)
        ways = [replace(tune, octave=octave).abc() for octave in (0, -1, 1, -2, 2)]
        assert one["abc"] in ways, (one["abc"], ways[0])


def test_seeds_and_wishes(composed: dict[str, Any]) -> None:
    assert composed["again"]["abc"].split("K:")[1].startswith("Eb")
    assert composed["again"]["body"] == composed["free"][3]["body"]
    assert len({tuple(one["body"]) for one in composed["free"]}) == 20
    assert (composed["jig"]["dance"], composed["jig"]["mode"]) == ("jig", "dor")
    assert composed["jig"]["meter"] == "6/8" and composed["jig"]["tonic"] in ("E", "A")
