"""The command that generates with a trained model of tokens: text, or outputs of inputs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.errors import fail, report_known_errors
from sluice.cli.generate_outputs import read_inputs, write_outputs
from sluice.cli.options import (
    Beam,
    CheckpointArgument,
    InferencePrecision,
    LengthPenalty,
    choose_length_penalty,
)
from sluice.cli.usage import is_given, refuse_unused

if TYPE_CHECKING:
    from sluice.sequence import Checkpoint, Sampling

_BATCH = 16
"""Sequences that are sampled side by side."""
_SAMPLING, _PAIRS = "Sampling", "Pairs"


def generate(
    context: typer.Context,
    checkpoint: CheckpointArgument,
    prompt: Annotated[
        str | None,
        typer.Option(help="Text to continue.", rich_help_panel=_SAMPLING),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="TEXT",
            help="Source for a model of pairs, whose output is printed; repeatable.",
            rich_help_panel=_PAIRS,
        ),
    ] = None,
    input_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Text file with a source in each line; - for standard input.",
            rich_help_panel=_PAIRS,
        ),
    ] = None,
    scores: Annotated[
        bool,
        typer.Option(
            "--scores",
            help="Write a tab and the log-probability, in nats, after each output.",
            rich_help_panel=_PAIRS,
        ),
    ] = False,
    count: Annotated[
        int,
        typer.Option(min=1, help="Number of texts to generate.", rich_help_panel=_SAMPLING),
    ] = 1,
    length: Annotated[
        int,
        typer.Option(min=1, help="Maximum number of new tokens.", rich_help_panel=_SAMPLING),
    ] = 1000,
    temperature: Annotated[
        float | None,
        typer.Option(help="Sampling temperature; default 1.", rich_help_panel=_SAMPLING),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(help="Sample from the k most likely tokens.", rich_help_panel=_SAMPLING),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            help="Sample from the most likely tokens whose probabilities sum to p.",
            rich_help_panel=_SAMPLING,
        ),
    ] = None,
    typical: Annotated[
        float | None,
        typer.Option(
            help="Locally typical sampling: keep the tokens nearest to the expected "
            "information until their probabilities sum to p.",
            rich_help_panel=_SAMPLING,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Random seed; default a new one, which is printed. "
            "Text number i, from 0, uses seed + i.",
            rich_help_panel=_SAMPLING,
        ),
    ] = None,
    beam: Beam = None,
    length_penalty: LengthPenalty = None,
    precision: InferencePrecision = "float32",
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of CPU threads; default: torch's.", rich_help_panel="Hardware"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Output text file; default the terminal.", rich_help_panel="Output"),
    ] = None,
) -> None:
    """Generate text with a language model, as it is sampled, or the outputs of a model of pairs.

    The speed, and the seed if it is new, are printed on stderr.
    """
    with report_known_errors():
        loaded = _load_checkpoint(checkpoint, precision, threads)
        is_pairs = loaded.target_vocabulary is not None
        if is_pairs and prompt is not None:
            fail(f"--prompt is for language models, but {checkpoint} maps inputs; give --input")
        if not is_pairs and (inputs or input_file is not None):
            fail(f"--input is for models of pairs, but {checkpoint} continues text; give --prompt")
        sampled = "sampling" if beam is None else "beam"
        refuse_unused(context, "pairs" if is_pairs else sampled)
        penalty = choose_length_penalty(length_penalty, beam)
        if is_pairs:
            write_outputs(
                loaded,
                read_inputs(inputs, input_file),
                beam=beam or 1,
                length_penalty=penalty,
                length=length if is_given(context, "length") else None,
                scores=scores,
                out=out,
            )
            return
        if prompt == "":
            fail("--prompt must not be empty; leave it out to start from nothing")
        if beam is not None and count > beam:
            fail(f"--count must be at most the width of the beam, {beam}, got {count}")
        asked = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "typical": typical}
        sampling = {name: value for name, value in asked.items() if value is not None}
        _compile_kernels(loaded)
        generation = _Generation(loaded, prompt)
        if beam is not None:
            texts = generation.search(beam, length, count, penalty)
        else:
            texts = generation.sample(sampling, length, count, seed)
        if out is None:
            _print_texts(texts)
        else:
            _write_texts(texts, out)
        typer.echo(generation.format_summary(), err=True)


def _load_checkpoint(path: Path, precision: str, threads: int | None) -> Checkpoint:
    import torch

    from sluice.nn.stack import RecurrentStack
    from sluice.run.kernels import extension
    from sluice.sequence import Checkpoint, CheckpointError, LanguageModel
    from sluice.sequence.models import PairModel

    if threads is not None:
        extension.set_num_threads(threads)
        torch.set_num_threads(threads)
    checkpoint = Checkpoint.load(path)
    model = checkpoint.model
    if not isinstance(model, LanguageModel | PairModel):
        raise CheckpointError(
            f"{path} holds a {type(model).__name__}, expected a LanguageModel or a model of pairs; "
            "give another file."
        )
    recurrent = [module for module in model.modules() if isinstance(module, RecurrentStack)]
    if not recurrent and precision != "float32":
        fail(f"--precision is for recurrent layers, which {path} does not have; leave it out")
    for layers in recurrent:
        layers.precision = precision
    return checkpoint


def _compile_kernels(checkpoint: Checkpoint) -> None:
    """Generate a token, so that timing begins with compiled kernels."""
    from sluice.sequence import Sampling, generate

    generate(checkpoint.model, [0], sampling=Sampling(max_length=1))


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
    """Generates text piece by piece, and counts tokens and seconds."""

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

    def search(self, beam: int, length: int, count: int, penalty: float) -> Iterator[str]:
        """The best sequences of a beam search, with an empty line between them."""
        from sluice.sequence import beam_search

        began, longest = time.monotonic(), length + len(self.prompt_ids)
        found = beam_search(
            self.checkpoint.model,
            beam,
            prompt=self.prompt,
            max_length=longest,
            length_penalty=penalty,
        )
        self.seconds = time.monotonic() - began
        self.tokens = sum(len(one.ids) - len(self.prompt_ids) for one in found)
        yield "\n\n".join(self.codec.decode(one.ids) for one in found[:count])

    def sample(
        self, options: dict[str, float], length: int, count: int, seed: int | None
    ) -> Iterator[str]:
        """One sequence token by token; several one by one, with an empty line between them."""
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
        from sluice.sequence import stream_tokens

        made = stream_tokens(self.checkpoint.model, seed, prompt=self.prompt, sampling=sampling)
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

        for first in range(0, count, _BATCH):
            seeds = range(seed + first, seed + min(first + _BATCH, count))
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
