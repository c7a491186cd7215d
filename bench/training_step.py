"""A training step compared with the same model of `torch.nn`, and where its time goes.

    python bench/training_step.py [ROW ...]

A row is chosen by a part of its name, such as `gru-128x16`, `seq2seq-lstm-30x64` or `seq2seq`; the
saved table keeps its other rows. Everything runs at its defaults. Both sides have fused AdamW.

- `lstm`, `gru`: embedding → two layers → readout → loss, a language model of characters.
- `seq2seq`: a bidirectional encoder and a decoder with additive attention, which torch's side
  composes of its operations; words as tokens.

The shares are those of our step, measured in a run of their own, stage by stage.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from paired import Report, measure_paired
from torch import Tensor, nn
from torch.nn import functional

import sluice
from sluice.sequence.models.cross_entropy import sum_cross_entropy
from sluice.sequence.training.sparse_embeddings import SparseAdamW

CHARACTERS, WORDS = 90, 8000
KINDS = {"lstm": (nn.LSTM, sluice.nn.LSTM), "gru": (nn.GRU, sluice.nn.GRU)}
SIZES = ((128, 64, 256), (128, 16, 256), (256, 16, 128))
SEQ2SEQ_SIZES = ((30, 64, 256), (30, 16, 256))
STAGES = ("embedding", "layers", "attention", "readout, loss", "optimizer")
Run = Callable[..., Tensor]
LossFunction = Callable[[nn.Linear, Tensor, Tensor], Tensor]


def run_plainly(stage: str, function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """A stage of a model, without anything around it."""
    return function(*inputs)


class StageTimer:
    """Runs a model's stages one by one, and their gradients, and sums the seconds of each."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.graph: list[tuple[str, Tensor, list[tuple[Tensor, Tensor]]]] = []

    def run(self, stage: str, function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        cut = [t.detach().requires_grad_(t.requires_grad) for t in inputs]
        started = time.perf_counter()
        output = function(*cut)
        self.seconds[stage] += time.perf_counter() - started
        self.graph.append((stage, output, list(zip(inputs, cut, strict=True))))
        return output

    def backward(self) -> None:
        """From the last stage's output, which is the loss, to the first."""
        flows: dict[int, Tensor] = {id(self.graph[-1][1]): torch.ones(())}
        for stage, output, inputs in reversed(self.graph):
            started = time.perf_counter()
            output.backward(flows.pop(id(output)))
            self.seconds[f"{stage}, back"] += time.perf_counter() - started
            for given, cut in inputs:
                if cut.grad is not None:
                    before = flows.get(id(given))
                    flows[id(given)] = cut.grad if before is None else before + cut.grad
        self.graph.clear()


class LanguageModel(nn.Module):
    """Embedding, two recurrent layers, readout."""

    def __init__(self, kind: type[nn.Module], loss: LossFunction, size: int) -> None:
        super().__init__()
        self.compute_loss = loss
        self.embedding, self.layers = nn.Embedding(CHARACTERS, size), kind(size, size, 2)
        self.readout = nn.Linear(size, CHARACTERS)

    def forward(self, tokens: Tensor, run: Run = run_plainly) -> Tensor:
        embedded = run("embedding", self.embedding, tokens[:-1])
        hidden = run("layers", lambda x: self.layers(x)[0], embedded)
        return run(
            "readout, loss", lambda h: self.compute_loss(self.readout, h, tokens[1:]), hidden
        )


class Seq2Seq(nn.Module):
    """Bidirectional encoder, decoder over the whole target, additive attention, readout."""

    def __init__(
        self, kind: type[nn.Module], loss: LossFunction, attention: type[nn.Module], size: int
    ) -> None:
        super().__init__()
        self.compute_loss = loss
        self.source, self.target = (nn.Embedding(WORDS, size) for _ in range(2))
        self.encoder, self.layers = kind(size, size, bidirectional=True), kind(size, size)
        self.attention = attention(size, 2 * size)
        self.combine, self.readout = nn.Linear(3 * size, size), nn.Linear(size, WORDS)

    def forward(self, tokens: Tensor, run: Run = run_plainly) -> Tensor:
        read, written = tokens
        source = run("embedding", self.source, read)
        memory = run("layers", lambda x: self.encoder(x)[0], source)
        target = run("embedding", self.target, written[:-1])
        hidden = run("layers", lambda x: self.layers(x)[0], target)
        context = run("attention", lambda h, m: self.attention(h, m)[0], hidden, memory)

        def finish(context: Tensor, hidden: Tensor) -> Tensor:
            seen = self.combine(torch.cat((context, hidden), dim=-1)).tanh()
            return self.compute_loss(self.readout, seen, written[1:])

        return run("readout, loss", finish, context, hidden)


class ComposedAttention(nn.Module):
    """Additive attention of torch's operations."""

    def __init__(self, query: int, memory: int) -> None:
        super().__init__()
        self.memory_map = nn.Linear(memory, query, bias=False)
        self.query_map = nn.Linear(query, query)
        self.score = nn.Linear(query, 1, bias=False)

    def forward(self, queries: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        queries, memory = queries.transpose(0, 1), memory.transpose(0, 1)
        pairs = self.query_map(queries)[:, :, None] + self.memory_map(memory)[:, None]
        weights = self.score(pairs.tanh()).squeeze(-1).softmax(dim=-1)
        return torch.bmm(weights, memory).transpose(0, 1), weights


def compute_composed_loss(readout: nn.Linear, hidden: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(readout(hidden).flatten(0, 1), targets.flatten())


def compute_blocked_loss(readout: nn.Linear, hidden: Tensor, targets: Tensor) -> Tensor:
    """As the models of `sluice.sequence` do."""
    total = sum_cross_entropy(hidden, readout.weight, readout.bias, targets, ignore_index=-1)
    return total / targets.numel()


def make_step(model: nn.Module, tokens: Tensor, *, sparse: bool = False) -> Callable[[], None]:
    """A function that runs one training step."""
    optimizer = make_optimizer(model, sparse=sparse)

    def once() -> None:
        optimizer.zero_grad()
        model(tokens).backward()
        optimizer.step()

    return once


def make_optimizer(model: nn.Module, *, sparse: bool) -> torch.optim.Optimizer:
    """Fused AdamW; ``sparse`` as `TrainingConfig.sparse_embeddings`."""
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            module.sparse = sparse
    kind = SparseAdamW if sparse else torch.optim.AdamW
    return kind(model.parameters(), 1e-3, fused=True)


def measure_shares(model: nn.Module, tokens: Tensor, *, sparse: bool, rounds: int = 3) -> list[str]:
    """What percentage of a step each stage takes, forward + backward."""
    optimizer, timer = make_optimizer(model, sparse=sparse), StageTimer()
    for number in range(1 + rounds):
        if number == 1:
            timer.seconds.clear()  # the first round does not count
        optimizer.zero_grad()
        model(tokens, timer.run)
        timer.backward()
        started = time.perf_counter()
        optimizer.step()
        timer.seconds["optimizer"] += time.perf_counter() - started
    total = sum(timer.seconds.values())
    shares = []
    for stage in STAGES:
        parts = [timer.seconds.get(name) for name in (stage, f"{stage}, back")]
        shown = [f"{100 * part / total:.0f}" for part in parts if part is not None]
        shares.append(" + ".join(shown) or "–")
    return shares


def narrow(model: nn.Module) -> nn.Module:
    """The model with its layers in bfloat16."""
    for name in ("encoder", "layers"):
        if hasattr(model, name):
            getattr(model, name).precision = "bfloat16"
    return model


@dataclass(frozen=True)
class Case:
    """A model of torch's and ours, and the rows of the table that compare them."""

    name: str
    sizes: tuple[int, int, int]
    theirs: Callable[[], nn.Module]
    ours: Callable[[], nn.Module]
    tokens: Tensor
    variants: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"{self.name}-{'x'.join(map(str, self.sizes))}"

    def measure(self, report: Report) -> None:
        """Add a row for each variant of ours, all measured in turns with torch's."""
        steps = {"torch": make_step(self.theirs(), self.tokens)}
        for variant in self.variants:
            steps[variant] = make_step(
                self.build(variant), self.tokens, sparse=variant == "sparse rows"
            )
        found = measure_paired(steps, block=0.3)
        for variant in self.variants:
            shares = measure_shares(
                self.build(variant), self.tokens, sparse=variant == "sparse rows"
            )
            report.add(
                self.name,
                "×".join(map(str, self.sizes)),
                variant,
                f"{found['torch'] * 1e3:.1f}",
                f"{found[variant] * 1e3:.1f}",
                f"{found['torch'] / found[variant]:.2f}",
                *shares,
            )

    def build(self, variant: str) -> nn.Module:
        return narrow(self.ours()) if variant == "bfloat16" else self.ours()


def list_cases() -> Iterator[Case]:
    for (name, (theirs, ours)), sizes in product(KINDS.items(), SIZES):
        steps, batch, size = sizes
        yield Case(
            name,
            sizes,
            partial(LanguageModel, theirs, compute_composed_loss, size),
            partial(LanguageModel, ours, compute_blocked_loss, size),
            torch.randint(CHARACTERS, (steps + 1, batch)),
            ("float32", "bfloat16"),
        )
    for (name, (theirs, ours)), sizes in product(KINDS.items(), SEQ2SEQ_SIZES):
        steps, batch, size = sizes
        yield Case(
            f"seq2seq-{name}",
            sizes,
            partial(Seq2Seq, theirs, compute_composed_loss, ComposedAttention, size),
            partial(Seq2Seq, ours, compute_blocked_loss, sluice.nn.AdditiveAttention, size),
            torch.randint(WORDS, (2, steps + 1, batch)),
            ("float32", "sparse rows"),
        )


def main(chosen: list[str]) -> None:
    report = Report(
        "training_step",
        "A training step: milliseconds, the ratio to torch, and where ours goes (%)",
        ["model", "T×B×H", "variant", "torch", "ours", "×", *STAGES],
        [
            "Shares are forward + backward; a loss of many logits computes its gradients forward.",
            "`lstm`, `gru`: two layers, I = H, 90 tokens. `seq2seq`: one layer on either side, "
            f"additive attention, I = H, {WORDS:,} tokens",
            "on either side; in `sparse rows` embeddings have sparse gradients.",
        ],
    )
    for case in list_cases():
        if not chosen or any(part in case.label for part in chosen):
            case.measure(report)
    report.keep(merge=3)


if __name__ == "__main__":
    main(sys.argv[1:])
