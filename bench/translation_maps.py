"""Maps of attention of the models that `translation.py` trained, for one sentence.

    python bench/translation_maps.py --runs FOLDER [--out docs/pictures] [--seed 0] [SENTENCE]

A picture for each model whose ten epochs are in the folder: `translation-attention-lstm.png` and
so on. What each writes is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console
from translation_cases import CASES

from sluice.insight.plots import plot_attention
from sluice.sequence import Checkpoint
from sluice.sequence.data.readers.token_encoders import make_encoder
from sluice.sequence.models import PairModel, decode

SENTENCE = "Ein Mann sieht zu, wie seine Kinder im Garten Fußball spielen."
console = Console()


def draw(case: str, weights: Path, sentence: str, picture: Path) -> None:
    """Translate a sentence greedily, and draw where each token of the output looked."""
    checkpoint = Checkpoint.load(weights)
    vocabulary = checkpoint.vocabulary
    assert isinstance(checkpoint.model, PairModel) and vocabulary is not None
    source = [int(one) for one in make_encoder(vocabulary)(sentence)]
    (found,) = decode(checkpoint.model.eval(), torch.tensor(source)[:, None], max_length=100)
    names, output = (
        [vocabulary.decode_text([one]).strip() for one in ids] for ids in (source, found.ids)
    )
    output += ["⟨end⟩"] * found.is_complete
    figure = plot_attention(found.attention, names, output, title=CASES[case].title)
    figure.savefig(picture, dpi=130)
    console.print(f"{picture}: {vocabulary.decode_text(list(found.ids))}")


def main() -> None:
    """Draw what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sentence", nargs="?", default=SENTENCE)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for case in CASES:
        weights = asked.runs / f"{case}-10-epochs-{asked.seed}.safetensors"
        if weights.exists():
            draw(case, weights, asked.sentence, asked.out / f"translation-attention-{case}.png")


if __name__ == "__main__":
    main()
