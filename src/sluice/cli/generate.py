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

from sluice.cli.errors import fail, report_errors

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
    from sluice.errors import SluiceError

    with report_errors(SluiceError):
        asked = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "typical": typical}
        drawing = {name: value for name, value in asked.items() if value is not None}
        _require_at_least(1, count=count, length=length, beam=beam, threads=threads)
        _require_at_least(0, seed=seed)
        if prime == "":
            fail("--prime is empty; leave it out to begin with nothing")
        if beam is not None:
            _check_beam_options(beam, count, [*drawing, *(["seed"] if seed is not None else [])])
        made = _Generation(_load_checkpoint(weights, precision, threads), prime)
        if beam is not None:
            texts = made.search(beam, length, count)
        else:
            texts = made.sample(drawing, length, count, seed)
        if out is None:
            _print_texts(texts)
        else:
            _write_texts(texts, out)
        typer.echo(made.format_summary(), err=True)


def _require_at_least(least: int, **numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < least:
            fail(f"--{name} is at least {least}, but {number} came")


def _check_beam_options(beam: int, count: int, names: list[str]) -> None:
    if names:
        told = ", ".join(f"--{name.replace('_', '-')}" for name in names)
        fail(f"A beam draws nothing at random; leave out {told}, or --beam")
    if count > beam:
        fail(f"A beam of {beam} finds {beam} sequences at most, but --count {count} came")


def _load_checkpoint(path: Path, precision: str, threads: int | None) -> Checkpoint:
    from sluice.run.kernels import extension
    from sluice.sequence import Checkpoint, LanguageModel, Sampling, generate

    if threads is not None:
        extension.set_num_threads(threads)
    checkpoint = Checkpoint.load(path, kind=LanguageModel)
    checkpoint.model.layers.precision = precision
    generate(checkpoint.model, [0], sampling=Sampling(max_length=1))  # compiles, and is not timed
    return checkpoint


def _print_texts(texts: Iterator[str]) -> None:
    for text in texts:
        typer.echo(text, nl=False)
    typer.echo()


def _write_texts(texts: Iterator[str], out: Path) -> None:
    from sluice.files import require_writable, write_atomically

    require_writable(out.parent)
    write_atomically(out, ("".join(texts) + "\n").encode())
    typer.echo(f"Written: {out}", err=True)


@dataclass
class _Generation:
    """What is generated, piece by piece as it comes, and how long it took."""

    checkpoint: Checkpoint
    prompt_text: str | None
    tokens: int = 0
    seconds: float = 0.0
    seed_note: str = ""

    def __post_init__(self) -> None:
        from sluice.sequence import TextCodec

        self.codec = TextCodec(self.checkpoint.vocabulary)
        self.prompt_ids = self.codec.encode(self.prompt_text or "")
        self.prompt = [[number] for number in self.prompt_ids]

    def search(self, beam: int, length: int, count: int) -> Iterator[str]:
        """The best that a beam finds, an empty line between them."""
        from sluice.sequence import beam_search

        began, longest = time.monotonic(), length + len(self.prompt_ids)
        found = beam_search(self.checkpoint.model, beam, prompt=self.prompt, max_length=longest)
        self.seconds = time.monotonic() - began
        self.tokens = sum(len(one.ids) - len(self.prompt_ids) for one in found)
        yield "\n\n".join(self.codec.decode(one.ids) for one in found[:count])

    def sample(
        self, options: dict[str, float], length: int, count: int, seed: int | None
    ) -> Iterator[str]:
        """A single sequence as its tokens come; several one by one, an empty line between them."""
        from sluice.sequence import Sampling

        sampling = Sampling(**options, max_length=length + len(self.prompt_ids))  # type: ignore[arg-type]
        if seed is None:
            seed = secrets.randbelow(1_000_000)
            self.seed_note = f" The same again: --seed {seed}."
        return (
            self._stream_one(seed, sampling)
            if count == 1
            else self._sample_batches(seed, count, sampling)
        )

    def _stream_one(self, seed: int, sampling: Sampling) -> Iterator[str]:
        from sluice.sequence import stream

        made = stream(self.checkpoint.model, seed, prompt=self.prompt, sampling=sampling)
        yield self.codec.decode(self.prompt_ids)
        began = time.monotonic()
        for piece in self.codec.decode_stream(
            self.prompt_ids, islice(made, len(self.prompt_ids), None)
        ):
            self.tokens += 1
            self.seconds = time.monotonic() - began
            yield piece

    def _sample_batches(self, seed: int, count: int, sampling: Sampling) -> Iterator[str]:
        from sluice.sequence import generate as generate_sequences

        for first in range(0, count, _AT_ONCE):
            seeds = range(seed + first, seed + min(first + _AT_ONCE, count))
            began = time.monotonic()
            found = generate_sequences(
                self.checkpoint.model, seeds, prompt=self.prompt, sampling=sampling
            )
            self.seconds += time.monotonic() - began
            for place, ids in enumerate(found):
                self.tokens += len(ids) - len(self.prompt_ids)
                yield ("\n\n" if first + place else "") + self.codec.decode(ids)

    def format_summary(self) -> str:
        speed = self.tokens / self.seconds if self.seconds > 0 else 0.0
        return f"{self.tokens:,} tokens, {speed:,.0f} a second.{self.seed_note}"
