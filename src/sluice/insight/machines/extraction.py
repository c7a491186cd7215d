"""The finite state machine that a trained model has learned, extracted from its hidden states."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from sluice.insight.machines.partition import find_targets, group_states
from sluice.insight.machines.prefix_states import (
    Decide,
    Encode,
    PrefixStates,
    Word,
    WordReader,
    decide_class,
)
from sluice.insight.machines.state_machine import Output, StateMachine, StateMachineError

_PREFIXES = 1000
_HELD_OUT = 200


@dataclass(frozen=True)
class ExtractedMachine:
    """A machine, and how well it describes the model.

    Attributes:
        machine: The minimal one, its states numbered in order of discovery.
        groups: How many groups of hidden states it was made from.
        centres: The mean full hidden state in each of its states, ``(states, width)``, float64: all
            states of all layers, h and c of an LSTM.
        sample_fidelity: The share of recorded prefixes that machine and model label alike.
        fidelity: The share of held-out words whose prefixes they all label alike.
        step_fidelity: The share of the prefixes of held-out words that they label alike.
        accuracy: The share of held-out words whose prefixes the machine all labels as the language
            does; None where no language was given.
        model_accuracy: The same of the model.
        held_out_length: The mean length of the held-out words.
    """

    machine: StateMachine
    groups: int
    centres: Tensor
    sample_fidelity: float
    fidelity: float
    step_fidelity: float
    accuracy: float | None
    model_accuracy: float | None
    held_out_length: float


def extract_state_machine(
    model: nn.Module,
    alphabet: Sequence[str],
    *,
    outputs: Sequence[Output] = (False, True),
    encode: Encode | None = None,
    decide: Decide = decide_class,
    empty: Output | None = None,
    words: Iterable[Sequence[str]] | None = None,
    held_out: Iterable[Sequence[str]] | None = None,
    language: Callable[[Word], Sequence[Output]] | None = None,
    tolerance: float = 0.02,
    limit: int = 100,
    seed: int = 0,
) -> ExtractedMachine:
    """The deterministic machine that a model runs in its hidden state.

    The model reads words, and every prefix gives one full hidden state. These are put into groups:
    first by the model's answer; then a group from which one symbol leads into several groups is
    split, each hidden state going with those nearest to it, until group and symbol tell the next
    group. Groups are states, what most members do is a transition, and the machine is minimised.
    It is then compared with the model on words that are longer than any it was made from.

    Sources: states of a recurrent network in groups as states of a machine, Giles, Miller, Chen,
    Chen, Sun & Lee 1992 and Omlin & Giles 1996, who quantise each unit; groups refined where the
    machine errs, Weiss, Goldberg & Yahav 2018, "Extracting automata from recurrent neural networks
    using queries and counterexamples"; comparison on held-out words, Wang et al. 2018, "An
    empirical evaluation of rule extraction from recurrent neural networks".

    Args:
        model: Holds layers of `sluice.nn` in one direction. It is called with the encoded words
            and returns logits for each step, ``(time, batch, classes)`` or ``(time, batch)``, alone
            or first in a tuple, as `sluice.sequence.models.Tagger` does.
        alphabet: The symbols.
        outputs: What the classes mean, in order: False and True, or texts.
        encode: From words of one length to the model's input, as
            `sluice.sequence.formal_languages.FormalLanguage.encode`; a start symbol before them
            gives the empty word a label. None for the places in ``alphabet``, ``(time, batch)``,
            int64.
        decide: From the model's outputs to classes, ``(time, batch)``, int64; by default the
            greatest logit's, or whether a single logit is positive.
        empty: The output of the empty word, where no start symbol is read.
        words: What the model reads; every one of their prefixes is followed by every symbol. None
            for all words of a length, about 1,000 prefixes.
        held_out: What the machine is judged on, words of any lengths. None for 200 random words
            of three times the length of the longest of ``words``, which in nine steps of ten take
            a symbol that leads into no trap, a state that no symbol leaves.
        language: The right labels of a word's prefixes, with the empty one's, as
            ``FormalLanguage.label_prefixes``.
        tolerance: Which share of a group may lead elsewhere than the rest.
        limit: The most groups.
        seed: Of the random words.

    Raises:
        StateMachineError: more than ``limit`` groups are needed; a layer that reads backwards; the
            model does not answer every step, or answers by a class without a name; the label of
            the empty word is not known; no words, or a symbol that is not in the alphabet.
        ValueError: the model holds no layer of `sluice.nn`.

    Example:
        >>> import torch, sluice
        >>> from sluice.sequence import formal_languages
        >>> class Parity(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.rnn, self.readout = sluice.nn.RNN(5, 2), torch.nn.Linear(2, 1)
        ...         with torch.no_grad():  # h0: bit or memory; h1: both; memory: (h0 - h1) / 2
        ...             self.rnn.weight_ih_l0.copy_(torch.tensor([[0, 0, 0, 0, 20.0]] * 2))
        ...             self.rnn.weight_hh_l0.copy_(torch.tensor([[10.0, -10.0]] * 2))
        ...             self.rnn.bias_ih_l0.copy_(torch.tensor([-10.0, -30.0]))
        ...             _ = self.rnn.bias_hh_l0.zero_(), self.readout.bias.fill_(-1.0)
        ...             self.readout.weight.copy_(torch.tensor([[1.0, -1.0]]))
        ...     def forward(self, ids):
        ...         return self.readout(self.rnn(torch.nn.functional.one_hot(ids, 5).float())[0])
        >>> parity = formal_languages.parity()
        >>> found = sluice.insight.extract_state_machine(
        ...     Parity(), parity.alphabet, encode=parity.encode, language=parity.label_prefixes)
        >>> len(found.machine), found.fidelity, found.accuracy
        (2, 1.0, 1.0)
        >>> print(found.machine.find_difference(parity.build_machine()))
        None
    """
    symbols = tuple(alphabet)
    if empty is not None and empty not in outputs:
        raise StateMachineError(f"empty must be one of the outputs {list(outputs)}, got {empty!r}")
    reader = WordReader(
        model,
        symbols,
        encode or _make_encode(symbols),
        decide,
        len(outputs),
        None if empty is None else list(outputs).index(empty),
    )
    sample = _list_all_words(symbols) if words is None else _check(words, symbols, "words")
    data = reader.collect(sample)
    groups = group_states(data, tolerance, limit)
    machine = _build_machine(data, groups, symbols, outputs).minimise()
    places = [machine.run(prefix)[-1] for prefix in data.prefixes]
    said = [machine.outputs[place] for place in places]
    agreed = [outputs[int(c)] == one for c, one in zip(data.classes, said, strict=True)]
    if held_out is None:
        length = 3 * max(map(len, sample))
        judged = draw_words(machine, _HELD_OUT, max(length, 1), seed)
    else:
        judged = _check(held_out, symbols, "held_out")
    scores = _compare(reader, machine, judged, outputs, language)
    return ExtractedMachine(
        machine,
        int(groups.max()) + 1,
        _average(data.states, torch.tensor(places), len(machine)),
        sum(agreed) / len(agreed),
        *scores,
        sum(map(len, judged)) / len(judged),
    )


def draw_words(machine: StateMachine, count: int, length: int, seed: int = 0) -> list[Word]:
    """Random words that seldom enter a trap, a state that no symbol leaves.

    In nine steps of ten the symbol is one of those that lead into no trap, if there is one; in the
    tenth it is any.
    """
    chance, traps, words = random.Random(seed), set(machine.find_traps()), []
    for _ in range(count):
        state, word = machine.start, list[str]()
        for _ in range(length):
            row = machine.transitions[state]
            open_ = [k for k, to in enumerate(row) if to not in traps]
            careless = not open_ or chance.random() < 0.1
            k = chance.choice(range(len(row)) if careless else open_)
            word.append(machine.alphabet[k])
            state = row[k]
        words.append(tuple(word))
    return words


def _make_encode(alphabet: Word) -> Encode:
    place = {symbol: k for k, symbol in enumerate(alphabet)}
    return lambda words: torch.tensor([[place[s] for s in word] for word in words]).T


def _list_all_words(alphabet: Word) -> list[Word]:
    length = max(2, int(math.log(_PREFIXES, max(2, len(alphabet)))))
    return list(product(alphabet, repeat=length))


def _check(words: Iterable[Sequence[str]], alphabet: Word, what: str) -> list[Word]:
    found = [tuple(word) for word in words]
    strange = sorted({symbol for word in found for symbol in word} - set(alphabet))
    if not any(found) or strange:
        raise StateMachineError(
            f"{what} must be words of the alphabet {list(alphabet)}, "
            f"{f'but they have {strange}' if strange else 'but there is none'}"
        )
    return found


def _build_machine(
    data: PrefixStates, groups: Tensor, alphabet: Word, outputs: Sequence[Output]
) -> StateMachine:
    rows, shown = [], []
    for group in range(int(groups.max()) + 1):
        members = (groups == group).nonzero().squeeze(1)
        shown.append(outputs[int(data.classes[members[0]])])
        row = []
        for k, symbol in enumerate(alphabet):
            leads = find_targets(data, groups, members, k)[1]
            if not len(leads):
                word = data.prefixes[int(members[0])]
                raise StateMachineError(
                    f"what follows the word {' '.join(word)!r} and {symbol!r} was not read, and no "
                    "other word is like it; give longer words"
                )
            row.append(int(leads.bincount().argmax()))
        rows.append(tuple(row))
    return StateMachine(alphabet, tuple(rows), tuple(shown), int(groups[0]))


def _average(states: Tensor, places: Tensor, count: int) -> Tensor:
    total = states.new_zeros(count, states.shape[1]).index_add(0, places, states)
    return total / places.bincount(minlength=count).unsqueeze(1)


def _compare(
    reader: WordReader,
    machine: StateMachine,
    words: list[Word],
    outputs: Sequence[Output],
    language: Callable[[Word], Sequence[Output]] | None,
) -> tuple[float, float, float | None, float | None]:
    """Shares of words, and of steps, that machine and model label alike; of words labelled right
    by the machine, and by the model."""
    steps, alike, faithful, right, learned = 0, 0, 0, 0, 0
    for length in sorted({len(word) for word in words}):
        some = [word for word in words if len(word) == length]
        decided = reader.decide_prefixes(some).T.tolist()
        for word, row in zip(some, decided, strict=True):
            model, ours = [outputs[c] for c in row], machine.label_prefixes(word)
            same = [a == b for a, b in zip(model, ours, strict=True)]
            steps, alike, faithful = steps + len(same), alike + sum(same), faithful + all(same)
            if language is not None:
                true = list(language(word))
                right, learned = right + (true == ours), learned + (true == model)
    count = len(words)
    known = (None, None) if language is None else (right / count, learned / count)
    return faithful / count, alike / steps, *known
