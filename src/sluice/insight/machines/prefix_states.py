"""The full hidden states and outputs of a model after every prefix of some words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sluice.insight.machines.state_machine import StateMachineError
from sluice.insight.recording.recorder import Tape, record

Word = tuple[str, ...]
Encode = Callable[[list[Word]], Tensor]
Decide = Callable[[Tensor], Tensor]
_WORDS_AT_ONCE = 4096


@dataclass(frozen=True)
class PrefixStates:
    """What a model is in after every prefix of some words.

    Attributes:
        prefixes: each once, the empty one first.
        states: ``(prefixes, width)``, float64: all states of all layers, h and c of an LSTM.
        classes: ``(prefixes,)``, int64: what the model answers.
        following: ``(prefixes, symbols)``, int64: the place of the prefix with one more symbol,
            -1 where it is not among these.
    """

    prefixes: tuple[Word, ...]
    states: Tensor
    classes: Tensor
    following: Tensor


@dataclass(frozen=True)
class WordReader:
    """A model that reads words of an alphabet, with what is needed to ask it.

    Attributes:
        model: called with the encoded words.
        alphabet: its symbols.
        encode: from words of one length to what the model is called with, time first.
        decide: from the model's outputs to classes, ``(time, batch)``.
        classes: how many classes there are.
        empty: the class of the empty word, for a model that reads no start symbol.
    """

    model: nn.Module
    alphabet: Sequence[str]
    encode: Encode
    decide: Decide
    classes: int
    empty: int | None

    def collect(self, words: Iterable[Word]) -> PrefixStates:
        """The states after every prefix of ``words``, and after every prefix and one more symbol.

        The words' own prefixes come first; they alone have all that follows.
        """
        own = list(dict.fromkeys(word[:end] for word in words for end in range(len(word) + 1)))
        own.sort(key=len)
        more = dict.fromkeys((*prefix, symbol) for prefix in own for symbol in self.alphabet)
        prefixes = list(dict.fromkeys([*own, *more]))
        place = {prefix: number for number, prefix in enumerate(prefixes)}
        inner = {prefix[:-1] for prefix in prefixes if prefix}
        ends = [prefix for prefix in prefixes if prefix not in inner]
        states, classes = self._read_ends(ends, place)
        following = torch.full((len(prefixes), len(self.alphabet)), -1)
        for number, prefix in enumerate(own):
            for k, symbol in enumerate(self.alphabet):
                following[number, k] = place[*prefix, symbol]
        return PrefixStates(tuple(prefixes), states, classes, following)

    def decide_prefixes(self, words: Sequence[Word]) -> Tensor:
        """The classes of all prefixes of words of one length, ``(1 + length, batch)``."""
        return self._run(list(words))[0]

    def _read_ends(self, ends: list[Word], place: dict[Word, int]) -> tuple[Tensor, Tensor]:
        """Read every word that no other one continues, padded at its end, which changes nothing."""
        longest = max(map(len, ends))
        classes, kept = torch.zeros(len(place), dtype=torch.int64), list[Tensor]()
        for start in range(0, len(ends), _WORDS_AT_ONCE):
            some = ends[start : start + _WORDS_AT_ONCE]
            padded = [word + (self.alphabet[0],) * (longest - len(word)) for word in some]
            found, states = self._run(padded)
            if not kept:
                kept = [states.new_zeros(len(place), states.shape[-1])]
            for column, word in enumerate(some):
                rows = [place[word[:end]] for end in range(len(word) + 1)]
                classes[rows] = found[: len(rows), column]
                kept[0][rows] = states[: len(rows), column]
        return kept[0], classes

    @torch.no_grad()
    def _run(self, words: list[Word]) -> tuple[Tensor, Tensor]:
        """Classes and full states of all prefixes of words of one length, time first."""
        length, was_training = len(words[0]), self.model.training
        self.model.eval()
        try:
            with record(self.model) as tape:
                outputs = self.model(self.encode(words))
        finally:
            self.model.train(was_training)
        logits = outputs[0] if isinstance(outputs, tuple) else outputs
        classes = self.decide(logits).cpu()
        if classes.shape not in ((length, len(words)), (length + 1, len(words))):
            raise StateMachineError(
                f"the model must answer each of {length} symbols of {len(words)} words, with or "
                f"without a start symbol before them: ({length} or {length + 1}, {len(words)}), "
                f"time first; got {tuple(classes.shape)}"
            )
        if len(classes) and not 0 <= int(classes.min()) <= int(classes.max()) < self.classes:
            raise StateMachineError(
                f"the model answers with class {int(classes.max())}, but only {self.classes} "
                "outputs are named; name all in outputs="
            )
        missing = length + 1 - len(classes)
        if missing:
            if self.empty is None:
                raise StateMachineError(
                    "the model reads no start symbol, so it says nothing of the empty word; give "
                    "its output as empty="
                )
            classes = torch.cat([classes.new_full((1, len(words)), self.empty), classes])
        return classes, _join_states(tape, len(classes), bool(missing))


def _join_states(tape: Tape, steps: int, add_initial: bool) -> Tensor:
    found = []
    for name in tape:
        for label, place in tape[name].layers.items():
            if place.is_reverse:
                raise StateMachineError(
                    f"layer {label} reads backwards: its state depends on symbols that follow, so "
                    "it is no machine's state; train a model in one direction"
                )
            number = int(label.removeprefix("l"))
            initial = tape[name]._module.get_initial_states()[number]
            for state, first in zip(place._recording.graph.states, initial, strict=True):
                values = place[state.name].double().cpu()
                if add_initial:
                    values = torch.cat([first.double().expand_as(values[:1]), values])
                if len(values) != steps:
                    raise StateMachineError(
                        f"layer {label} ran {len(values)} steps for {steps} outputs; a machine is "
                        "extracted from a model that answers at every step"
                    )
                found.append(values)
    return torch.cat(found, dim=-1)


def decide_class(logits: Tensor) -> Tensor:
    """The greatest logit's class; of a single logit, whether it is positive."""
    if logits.dim() == 3 and logits.shape[-1] > 1:
        return logits.argmax(-1)
    return (logits.squeeze(-1) if logits.dim() == 3 else logits).gt(0).long()
