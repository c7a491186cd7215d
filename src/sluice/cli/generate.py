"""The command that generates from any trained language model."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sluice.cli.told import refuse, told_in_one_sentence

if TYPE_CHECKING:
    from sluice.sequence import Checkpoint, Sampling

_AT_ONCE = 16
"""Sequences drawn side by side where several are asked for."""


def generate(
    weights: Annotated[Path, typer.Argument(help="A trained language model's file.")],
    prime: Annotated[str | None, typer.Option(help="The beginning to go on from.")] = None,
    count: Annotated[int, typer.Option(help="How many sequences.")] = 1,
    temperature: Annotated[
        float | None, typer.Option(help="Below 1 tamer, above 1 wilder; 1 if not given.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(help="Keep the likeliest k tokens.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Keep the likeliest that reach this probability.")
    ] = None,
    typical: Annotated[
        float | None, typer.Option(help="Keep the most typical that reach this probability.")
    ] = None,
    beam: Annotated[
        int | None, typer.Option(help="Search with a beam this wide instead of drawing.")
    ] = None,
    length: Annotated[int, typer.Option(help="New tokens at most.")] = 1000,
    seed: Annotated[
        int | None,
        typer.Option(help="The same seed, the same sequence; the next one has seed + 1."),
    ] = None,
    precision: Annotated[
        Literal["float32", "bfloat16", "int8"], typer.Option(help="What the kernels multiply in.")
    ] = "float32",
    threads: Annotated[int | None, typer.Option(help="How many threads share a step.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="A file for the text, in place of the terminal.")
    ] = None,
) -> None:
    """Generate text, shown as it is made; speed and seed are told on stderr."""
    from sluice.sequence import SequenceError

    with told_in_one_sentence(SequenceError):
        asked = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "typical": typical}
        drawing = {name: value for name, value in asked.items() if value is not None}
        _refuse_below(1, count=count, length=length, beam=beam, threads=threads)
        _refuse_below(0, seed=seed)
        if prime == "":
            refuse("--prime is empty; leave it out to begin with nothing")
        if beam is not None:
            _refuse_beside_a_beam(beam, count, [*drawing, *(["seed"] if seed is not None else [])])
        made = _Made(_loaded(weights, precision, threads), prime)
        if beam is not None:
            texts = made.searched(beam, length, count)
        else:
            texts = made.drawn(drawing, length, count, seed)
        if out is None:
            _show(texts)
        else:
            _write(texts, out)
        typer.echo(made.told(), err=True)


def _refuse_below(least: int, **numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < least:
            refuse(f"--{name} is at least {least}, but {number} came")


def _refuse_beside_a_beam(beam: int, count: int, names: list[str]) -> None:
    if names:
        told = ", ".join(f"--{name.replace('_', '-')}" for name in names)
        refuse(f"A beam draws nothing at random; leave out {told}, or --beam")
    if count > beam:
        refuse(f"A beam of {beam} finds {beam} sequences at most, but --count {count} came")


def _loaded(weights: Path, precision: str, threads: int | None) -> Checkpoint:
    from sluice.run import kernels
    from sluice.sequence import Checkpoint, LanguageModel, Sampling, generate

    if threads is not None:
        kernels.set_num_threads(threads)
    checkpoint = Checkpoint.load(weights, kind=LanguageModel)
    checkpoint.model.layers.precision = precision
    generate(checkpoint.model, [0], sampling=Sampling(max_length=1))  # compiles, and is not timed
    return checkpoint


def _show(texts: Iterator[str]) -> None:
    for text in texts:
        typer.echo(text, nl=False)
    typer.echo()


def _write(texts: Iterator[str], out: Path) -> None:
    from sluice.files import require_writable, write_whole

    require_writable(out.parent)
    write_whole(out, ("".join(texts) + "\n").encode())
    typer.echo(f"Written: {out}", err=True)


@dataclass
class _Made:
    """What is generated, piece by piece as it comes, and how long it took."""

    checkpoint: Checkpoint
    prime: str | None
    tokens: int = 0
    seconds: float = 0.0
    again: str = ""

    def __post_init__(self) -> None:
        from sluice.sequence import Spelling

        self.spelling = Spelling(self.checkpoint.vocabulary)
        self.begun = self.spelling.read(self.prime or "")
        self.opening = [[number] for number in self.begun]

    def searched(self, beam: int, length: int, count: int) -> Iterator[str]:
        """The best that a beam finds, an empty line between them."""
        from sluice.sequence import beam_search

        began, longest = time.monotonic(), length + len(self.begun)
        found = beam_search(self.checkpoint.model, beam, opening=self.opening, max_length=longest)
        self.seconds = time.monotonic() - began
        self.tokens = sum(len(one.ids) - len(self.begun) for one in found)
        yield "\n\n".join(self.spelling.write(one.ids) for one in found[:count])

    def drawn(
        self, drawing: dict[str, float], length: int, count: int, seed: int | None
    ) -> Iterator[str]:
        """A single sequence as its tokens come; several one by one, an empty line between them."""
        from sluice.sequence import Sampling

        sampling = Sampling(**drawing, max_length=length + len(self.begun))  # type: ignore[arg-type]
        if seed is None:
            seed = secrets.randbelow(1_000_000)
            self.again = f" The same again: --seed {seed}."
        return self._one(seed, sampling) if count == 1 else self._several(seed, count, sampling)

    def _one(self, seed: int, sampling: Sampling) -> Iterator[str]:
        from sluice.sequence import stream

        made = stream(self.checkpoint.model, seed, opening=self.opening, sampling=sampling)
        yield self.spelling.write(self.begun)
        began = time.monotonic()
        for piece in self.spelling.pieces(self.begun, islice(made, len(self.begun), None)):
            self.tokens += 1
            self.seconds = time.monotonic() - began
            yield piece

    def _several(self, seed: int, count: int, sampling: Sampling) -> Iterator[str]:
        from sluice.sequence import generate as generate_sequences

        for first in range(0, count, _AT_ONCE):
            seeds = range(seed + first, seed + min(first + _AT_ONCE, count))
            began = time.monotonic()
            found = generate_sequences(
                self.checkpoint.model, seeds, opening=self.opening, sampling=sampling
            )
            self.seconds += time.monotonic() - began
            for place, ids in enumerate(found):
                self.tokens += len(ids) - len(self.begun)
                yield ("\n\n" if first + place else "") + self.spelling.write(ids)

    def told(self) -> str:
        speed = self.tokens / self.seconds if self.seconds > 0 else 0.0
        return f"{self.tokens:,} tokens, {speed:,.0f} a second.{self.again}"
