"""A model of pairs on pairs of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sluice.files import StrPath
from sluice.report.evaluation.evaluation_report import EvaluationReport
from sluice.report.evaluation.settings import EvaluationSettings
from sluice.report.model_data.translation_data import (
    read_unpacked,
    read_unpacked_sides,
    select_pair_options,
)
from sluice.sequence import (
    Checkpoint,
    DataError,
    PairBatches,
    PairOutput,
    Pairs,
    evaluate,
    generate_outputs,
    load_data,
)
from sluice.sequence.data.readers.pair_texts import read_pair_texts
from sluice.sequence.data.readers.pairs import find_unknown_id
from sluice.sequence.data.report import pluralize
from sluice.sequence.metrics.metrics import MODEL
from sluice.sequence.metrics.outputs import find_signatures, score_outputs
from sluice.sequence.metrics.score_table import ScoreTable
from sluice.sequence.model_series import get_load_options

_BATCH = 64
_DECODED = 1_000
"""Pairs whose outputs are generated, evenly from all."""
_SHOWN = 5
"""Outputs that are shown."""


def evaluate_pairs(
    checkpoint: Checkpoint, data: str, settings: EvaluationSettings
) -> EvaluationReport:
    """Nats per token, perplexity and token accuracy; of outputs also how many are exactly the
    target, chrF and BLEU, beside copies of the source and the most frequent target."""
    judged = _read(checkpoint, data, settings.target_file)
    known = judged.pairs.select(judged.find_known())
    metrics = evaluate(checkpoint.model, PairBatches(known.sources, known.targets, _BATCH, seed=0))
    every = max(1, -(-len(judged.pairs) // _DECODED))
    places = range(0, len(judged.pairs), every)
    sources = [judged.sources[place] for place in places]
    targets = [judged.targets[place] for place in places]
    made = generate_outputs(
        checkpoint,
        sources,
        num_beams=settings.num_beams,
        length_penalty=settings.length_penalty,
    )
    exact = sum(judged.is_exact(place, one) for place, one in zip(places, made, strict=True))
    texts = [one.text for one in made]
    frequent = Counter(targets).most_common(1)[0][0]
    rows = {
        MODEL: {
            **metrics.by_method[MODEL],
            "exact outputs": exact / len(made),
            **score_outputs(texts, targets),
        },
        "copy the source": _score_plain(sources, targets),
        f"always {frequent[:20]!r}": _score_plain([frequent] * len(targets), targets),
    }
    return EvaluationReport(
        type(checkpoint.model).__name__,
        data,
        [_tabulate(rows, metrics.items), _show_outputs(sources, texts, targets)],
        [
            *judged.pairs.report().splitlines(),
            *_describe(judged, len(known), len(made), settings.num_beams),
            *_describe_scores(rows[MODEL]),
        ],
    )


@dataclass(frozen=True)
class _JudgedPairs:
    """Pairs in the model's tokens, and their texts."""

    pairs: Pairs
    sources: list[str]
    targets: list[str]

    def find_known(self) -> list[int]:
        """The pairs whose every token the model knows."""
        sides = (
            (self.pairs.sources, find_unknown_id(self.pairs.vocabulary)),
            (self.pairs.targets, find_unknown_id(self.pairs.target_vocabulary)),
        )
        found = [
            place
            for place in range(len(self.pairs))
            if not any((ids[place] == unknown).any() for ids, unknown in sides)
        ]
        if not found:
            raise DataError(
                "the model knows no pair of which it knows every token; give pairs of the kind "
                "it was trained on"
            )
        return found

    def is_exact(self, place: int, made: PairOutput) -> bool:
        """Whether an output is the target, token by token; a target with unknown ones has none."""
        target = self.pairs.targets[place].tolist()
        unknown = find_unknown_id(self.pairs.target_vocabulary)
        return unknown not in target and made.is_complete and list(made.ids) == target


def _read(checkpoint: Checkpoint, data: str, target_file: StrPath | None) -> _JudgedPairs:
    options = select_pair_options(get_load_options(checkpoint))
    if target_file is not None:  # then a line is all of a side
        options = {name: options[name] for name in options if name == "encoding"}
    pairs = load_data(
        data,
        kind="pairs",
        vocabulary=checkpoint.vocabulary,
        target_vocabulary=checkpoint.target_vocabulary,
        **({} if target_file is None else {"target_file": target_file}),
        **options,
    )
    assert isinstance(pairs, Pairs)
    if target_file is None:
        read = read_unpacked(data, lambda files: read_pair_texts(files, **options), strict=False)
    else:
        read = read_unpacked_sides(data, target_file, **options)
    texts = {one.place: one for one in read.pairs}
    found = [texts[name] for name in pairs.names]
    return _JudgedPairs(pairs, [one.source for one in found], [one.target or "" for one in found])


def _score_plain(outputs: Sequence[str], targets: Sequence[str]) -> dict[str, float]:
    exact = sum(one == other for one, other in zip(outputs, targets, strict=True))
    return {"exact outputs": exact / len(targets), **score_outputs(outputs, targets)}


def _tabulate(rows: dict[str, dict[str, float]], items: int) -> ScoreTable:
    names = tuple(dict.fromkeys(name for row in rows.values() for name in row))
    cells = tuple((who, *(row.get(name) for name in names)) for who, row in rows.items())
    return ScoreTable("scores", ("", *names), cells, f"{items:,} measured")


def _show_outputs(
    sources: Sequence[str], texts: Sequence[str], targets: Sequence[str]
) -> ScoreTable:
    every = max(1, len(sources) // _SHOWN)
    shown = list(zip(sources, texts, targets, strict=True))[::every][:_SHOWN]
    return ScoreTable("outputs", ("source", "output", "target"), tuple(shown))


def _describe(judged: _JudgedPairs, known: int, decoded: int, num_beams: int) -> list[str]:
    notes = []
    left_out = len(judged.pairs) - known
    if left_out:
        notes.append(
            f"{pluralize(left_out, 'pair')} with tokens that the model does not know are left out "
            "of nats, perplexity and token accuracy."
        )
    way = "greedy" if num_beams == 1 else f"of {num_beams} beams"
    which = f" of {decoded:,} pairs, evenly from all" if decoded < len(judged.pairs) else ""
    notes.append(f"Outputs{which} are {way}; each is compared with one target.")
    return notes


def _describe_scores(scores: dict[str, float]) -> list[str]:
    signatures = find_signatures(name for name in ("chrF", "BLEU") if name in scores)
    named = (f"{name} {signature}" for name, signature in signatures.items())
    return [f"Signatures of sacrebleu: {', '.join(named)}."]
