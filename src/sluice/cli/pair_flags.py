"""The options on pairs of texts and their models, the same for every command that trains them."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Side = Literal["source", "target", "both"]
Architecture = Literal["recurrent", "convs2s", "transformer"]

_PANEL = "Pairs of texts"

PAIR_FLAGS = (
    "vocabulary_size",
    "joint_vocabulary",
    "group_by",
)
"""What decides how pairs are read."""
PAIR_MODEL_FLAGS = ("architecture", "input_feeding", "label_smoothing")
"""What decides the model of pairs."""

VocabularySize = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Words or subwords of each side, or of both with --joint-vocabulary; default: from "
        "the number of pairs.",
        rich_help_panel=_PANEL,
    ),
]
JointVocabulary = Annotated[
    bool | None,
    typer.Option(
        "--joint-vocabulary",
        help="One vocabulary and one embedding for sources and targets.",
        rich_help_panel=_PANEL,
    ),
]
GroupBy = Annotated[
    Side | None,
    typer.Option(
        help="Whose equal texts stay in one part of the split: source, target or both; default "
        "both, or source where targets are like labels.",
        rich_help_panel=_PANEL,
    ),
]
ModelArchitecture = Annotated[
    Architecture | None,
    typer.Option(
        help="Model of pairs: recurrent, convs2s or transformer; default recurrent.",
        rich_help_panel=_PANEL,
    ),
]
InputFeeding = Annotated[
    bool | None,
    typer.Option(
        "--input-feeding",
        help="The decoder also reads what attention gave in the step before; training takes "
        "longer.",
        rich_help_panel=_PANEL,
    ),
]
LabelSmoothing = Annotated[
    float | None,
    typer.Option(
        help="Share of a target that training spreads evenly over all tokens; default 0.",
        rich_help_panel=_PANEL,
    ),
]
