"""The state machines that trained models have learned, and what their gates do to a memory.

    python examples/state_machine.py docs/pictures

Trains four small models on formal languages, in under a minute: parity, brackets, programs for a
memory cell, and aⁿbⁿ. It extracts their machines, compares them with the textbook's, and draws
them; reads store, keep, delete and load from the memory's gates; and finds the unit that counts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

import sluice
from sluice import insight
from sluice.insight import plots
from sluice.sequence import formal_languages
from sluice.sequence.formal_languages import FormalLanguage

Words = list[tuple[str, ...]]
Draw = Callable[[int, torch.Generator], Words]
SETS = ["", "end", "b", "b end", "a", "a end", "a b", "a b end"]
"""What can follow in aⁿbⁿ, by the number that three bits make."""


class Reader(nn.Module):
    """Symbols in, logits of labels out, at every step."""

    def __init__(self, layer: nn.Module, symbols: int, hidden: int, labels: int) -> None:
        super().__init__()
        self.layer, self.symbols = layer, symbols
        self.readout = nn.Linear(hidden, labels)

    def forward(self, ids: Tensor) -> Tensor:
        """``(time, batch)`` ids to ``(time, batch, labels)``."""
        x = functional.one_hot(ids, self.symbols).float()
        logits: Tensor = self.readout(self.layer(x)[0])
        return logits


def learn(language: FormalLanguage, model: Reader, updates: int, rate: float, draw: Draw) -> None:
    """Train on words drawn anew for each update; labels are classes, or sets of next symbols."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], rate)
    for update in range(updates):
        words = draw(update, generator)
        logits = model(language.encode(words))
        if logits.shape[-1] == len(language.outputs):
            labels = language.encode_labels(words)
            loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        else:
            labels = language.encode_next(words)
            loss = functional.binary_cross_entropy_with_logits(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def extract(language: FormalLanguage, model: Reader, picture: Path, title: str) -> None:
    """The model's machine, beside the textbook's; its picture."""
    found = insight.extract_state_machine(
        model,
        language.alphabet,
        outputs=language.outputs,
        encode=language.encode,
        language=language.label_prefixes,
    )
    difference = found.machine.find_difference(language.build_machine())
    same = "the minimal one" if difference is None else f"wrong for {' '.join(difference)!r}"
    print(
        f"{language.name}: {len(found.machine)} states, {same}; agrees with the model on "
        f"{found.fidelity:.1%} of words of {found.held_out_length:.0f} symbols"
    )
    plots.plot_state_machine(found.machine, title=title).savefig(picture, dpi=200)


def learn_parity(folder: Path, updates: int) -> None:
    """A GRU that tells whether it has read an odd number of ones."""
    language = formal_languages.parity()
    torch.manual_seed(0)
    model = Reader(sluice.nn.GRU(len(language.vocabulary), 8), len(language.vocabulary), 8, 2)
    learn(language, model, updates, 0.02, lambda update, g: language.draw(64, 2 + update // 40, g))
    extract(language, model, folder / "machine-parity.png", "A GRU's machine for parity")


def learn_brackets(folder: Path, updates: int, depth: int) -> None:
    """An LSTM that tells whether the brackets so far are balanced."""
    language = formal_languages.dyck(1, depth)
    torch.manual_seed(0)
    symbols = len(language.vocabulary)
    model = Reader(sluice.nn.LSTM(symbols, 8), symbols, 8, 2)

    def draw(update: int, generator: torch.Generator) -> Words:
        return language.draw(64, 6 + update // 30, generator, mistakes=0.1)

    learn(language, model, updates, 0.02, draw)
    title = f"An LSTM's machine for brackets, at most {depth} deep"
    extract(language, model, folder / "machine-dyck.png", title)


def learn_memory(folder: Path, updates: int, values: int) -> None:
    """An LSTM that runs programs. Its gates see the instruction alone, so only c can remember."""
    language = formal_languages.memory_program(values)
    torch.manual_seed(2)
    layer = sluice.nn.LSTM(len(language.vocabulary), 4, chrono=20)
    with torch.no_grad():
        layer.weight_hh_l0.requires_grad_(False).zero_()
    model = Reader(layer, len(language.vocabulary), 4, len(language.outputs))

    def draw_short(update: int, generator: torch.Generator) -> Words:
        return language.draw(64, 5 + update // 40, generator)

    def draw_long(update: int, generator: torch.Generator) -> Words:
        short = language.draw(32, 10, generator)
        return [tuple(s for one in word for s in (one, *["keep"] * 11)) for word in short]

    learn(language, model, updates, 0.03, draw_short)
    learn(language, model, updates // 3, 0.03, draw_long)
    extract(language, model, folder / "machine-memory.png", "An LSTM's machine for memory programs")
    read_gates(language, model, folder)
    hold_long(language, model, folder)


def read_gates(language: FormalLanguage, model: Reader, folder: Path) -> None:
    """Compare what the gates of the memory's unit do with what the instructions say."""
    words = language.draw(200, 40, torch.Generator().manual_seed(99))
    with torch.no_grad(), sluice.record(model) as tape:
        model(language.encode(words))
    told = [["start", *word] for word in words]
    names = [[word[step].split()[0] for word in told] for step in range(41)]
    content = follow_content(told, language)
    units, r = insight.find_correlated_units(tape.c, content)
    unit = int(units[0])
    print(f"unit {unit} holds the value (r = {float(r[0]):.2f})")
    is_told = {
        name: torch.tensor([[one == name for one in row] for row in names])
        for name in ("store", "keep", "delete", "load")
    }
    told_any = torch.stack(list(is_told.values())).any(0)
    done = insight.classify_memory_operations(tape)
    is_done = {name: getattr(done, name)[..., unit] for name in is_told}
    agreed = torch.stack([is_done[name] & is_told[name] for name in is_told]).any(0)
    print(f"in {share(agreed, told_any):.1%} of steps its gates do what the instruction says")
    for name in is_told:
        others = told_any & ~is_told[name]
        print(
            f"    {name}: at {share(is_done[name], is_told[name]):.0%} of its instructions, "
            f"and at {share(is_done[name], others):.0%} of the others"
        )
    shown = slice(1, 25)
    part = done._replace(
        **{n: getattr(done, n)[shown] for n in ("store", "keep", "delete", "load")}
    )
    plots.plot_memory_operations(
        part, tape.c[shown], unit=unit, tokens=told[0][shown],
        title="Memory operations, read from the gates of one unit",
    ).savefig(folder / "memory-operations.png", dpi=200)  # fmt: skip


def hold_long(language: FormalLanguage, model: Reader, folder: Path) -> None:
    """The memory's units over a program that keeps each value for 60 steps."""
    stores = [symbol for symbol in language.alphabet if symbol.startswith("store")]
    program = [s for first in (*stores, "delete") for s in (first, *["keep"] * 60, "load")]
    with torch.no_grad(), sluice.record(model) as tape:
        right = model(language.encode([program])).argmax(-1) == language.encode_labels([program])
    spans = insight.find_constant_spans(tape.c)
    for span in spans[: len(stores) + 1]:
        steps = f"steps {span.start} to {span.stop - 1}"
        print(f"unit {span.unit} is constant, c = {span.value:.2f}, over {steps}")
    print(f"{int(right.sum())} of {right.numel()} answers are right")
    picture = plots.plot_traces(
        {"c": tape.c[:, 0]},
        "c",
        units=[spans[0].unit] if spans else None,
        title="A cell state that is constant: each value is kept for 60 steps, then loaded",
    )
    picture.savefig(folder / "constant-units.png", dpi=200)


def share(found: Tensor, among: Tensor) -> float:
    """Of the steps ``among``, which share is found."""
    return float(found[among].double().mean())


def follow_content(told: list[list[str]], language: FormalLanguage) -> Tensor:
    """What the memory should hold at each step, ``(time, batch)``: values around 0, or 0."""
    count = sum(symbol.startswith("store") for symbol in language.alphabet)
    rows = torch.zeros(len(told), len(told[0]))
    for row, word in zip(rows, told, strict=True):
        now = 0.0
        for step, symbol in enumerate(word):
            if symbol.startswith("store"):
                now = 2.0 * int(symbol.split()[1]) - (count - 1) or 1.0
            row[step] = now = 0.0 if symbol == "delete" else now
    return rows.T


def learn_counting(folder: Path, updates: int) -> None:
    """An LSTM that tells which symbols can follow in aⁿbⁿ, for n up to 10."""
    language = formal_languages.counting(2)
    torch.manual_seed(1)
    symbols = len(language.vocabulary)
    model = Reader(sluice.nn.LSTM(symbols, 6), symbols, 6, 3)

    def draw(update: int, generator: torch.Generator) -> Words:
        tails = language.draw(40, 22, generator, mistakes=1.0)
        words = [("a",) * (1 + k // 4) + ("b",) * (1 + k // 4) for k in range(40)]
        finished = [(*word, *tail)[:22] for word, tail in zip(words, tails, strict=True)]
        return finished + language.draw(20, 22, generator, mistakes=0.2)

    learn(language, model, updates, 0.02, draw)
    for length in (4, 6, 8):
        try:
            found = insight.extract_state_machine(
                model,
                language.alphabet,
                outputs=SETS,
                encode=language.encode,
                decide=lambda logits: (logits > 0).long() @ torch.tensor([4, 2, 1]),
                words=product("ab", repeat=length),
                tolerance=0.0,
            )
            print(f"aⁿbⁿ read up to {length} symbols: {len(found.machine)} states")
        except insight.StateMachineError as error:
            print(f"aⁿbⁿ read up to {length} symbols: {error}")
    draw_counter(language, model, folder)


def draw_counter(language: FormalLanguage, model: Reader, folder: Path) -> None:
    """""The unit that counts.""" ""
    with torch.no_grad(), sluice.record(model) as tape:
        model(language.encode(["a" * 10 + "b" * 10]))
    count = torch.cat([torch.arange(11), torch.arange(9, -1, -1)]).double()[:, None]
    units, r = insight.find_correlated_units(tape.c, count)
    unit = int(units[0])
    c = tape.c[..., unit].double()
    above = count - count.mean()
    slope = float((c * above).sum() / above.square().sum())
    print(f"unit {unit} counts: {slope:.2f} for each open a, r² = {float(r[0]) ** 2:.4f}")
    right = 0
    for n in range(1, 60):
        words = ["a" * n + "b" * n]
        with torch.no_grad():
            if not torch.equal(model(language.encode(words)) > 0, language.encode_next(words) > 0):
                break
        right = n
    print(f"trained on n up to 10, right for all n up to {right}")
    with torch.no_grad(), sluice.record(model) as tape:
        model(language.encode(["a" * 20 + "b" * 20]))
    picture = plots.plot_traces(
        tape, "c", units=[unit], tokens=["^", *"a" * 20, *"b" * 20],
        title=f"The cell state of unit {unit} counts: aⁿbⁿ with n = 20, trained up to 10",
    )  # fmt: skip
    picture.savefig(folder / "counter.png", dpi=200)


def main(
    folder: Path,
    updates: tuple[int, int, int, int] = (400, 600, 600, 500),
    depth: int = 3,
    values: int = 2,
) -> None:
    """Write six pictures into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    learn_parity(folder, updates[0])
    learn_brackets(folder, updates[1], depth)
    learn_memory(folder, updates[2], values)
    learn_counting(folder, updates[3])


if __name__ == "__main__":
    torch.set_num_threads(1)  # the faster choice for layers of a few units
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
