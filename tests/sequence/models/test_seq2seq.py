from itertools import product
from typing import Any

import pytest
import torch

from sluice.sequence import SequenceError
from sluice.sequence.batch import Batch
from sluice.sequence.models import Seq2Seq, Seq2SeqConfig, decode
from sluice.sequence.models.attention import build_attention
from sluice.sequence.models.packed_decoding import PackedDecoding

LENGTHS = torch.tensor([6, 2, 4])


def small(**changes: Any) -> Seq2Seq:
    torch.manual_seed(5)
    sizes = {"embedding_size": 5, "hidden_size": 8, "num_layers": 2, "dropout": 0.0}
    model = Seq2Seq(Seq2SeqConfig(9, 6, **{**sizes, **changes})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    return model


def sources() -> torch.Tensor:
    beyond = torch.arange(6)[:, None] >= LENGTHS
    return torch.randint(3, 9, (6, 3)).masked_fill(beyond, 0)


def test_additive_attention_is_bahdanaus_formula() -> None:
    attention = build_attention("additive", query=4, memory=3)
    queries, memory = torch.randn(5, 2, 4), torch.randn(7, 2, 3)
    lengths = torch.tensor([7, 3])
    context, weights = attention(queries, memory, lengths)
    weight, map_q, map_m = attention.score.weight[0], attention.query_map, attention.memory_map
    for t, b in product(range(5), range(2)):
        scores = [
            weight @ (map_q.weight @ queries[t, b] + map_q.bias + map_m.weight @ row).tanh()
            for row in memory[: lengths[b], b]
        ]
        expected = torch.stack(scores).softmax(dim=0)
        torch.testing.assert_close(weights[t, b, : lengths[b]], expected)
        assert weights[t, b, lengths[b] :].eq(0).all()
        torch.testing.assert_close(context[t, b], expected @ memory[: lengths[b], b])


def test_multiplicative_attention_is_torchs_scaled_dot_product() -> None:
    attention = build_attention("multiplicative", query=4, memory=3)
    queries, memory = torch.randn(5, 2, 4), torch.randn(7, 2, 3)
    context, _ = attention(queries, memory)
    keys = memory @ attention.memory_map.weight.T
    expected = torch.nn.functional.scaled_dot_product_attention(
        queries.transpose(0, 1), keys.transpose(0, 1), memory.transpose(0, 1), scale=1.0
    )
    torch.testing.assert_close(context, expected.transpose(0, 1))


@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm"])
@pytest.mark.parametrize("attention", ["additive", "multiplicative"])
def test_step_by_step_is_teacher_forcing(cell: str, attention: Any) -> None:
    model, read = small(cell=cell, attention=attention), sources()
    targets = torch.randint(2, 6, (5, 3))
    whole, weights = model(read, targets, LENGTHS)
    memory, state = model.encode(read, LENGTHS)
    before = torch.cat((torch.ones(1, 3, dtype=torch.int64), targets[:-1]))
    for time, tokens in enumerate(before):
        logits, looked, state = model.step(tokens[None], memory, state)
        torch.testing.assert_close(logits[0], whole[time])
        torch.testing.assert_close(looked[0], weights[time])
    assert model.decoder.resolved_backend.name == model.layers.resolved_backend.name == "fused"


@pytest.mark.parametrize("bidirectional", [False, True])
def test_results_do_not_depend_on_the_batch_or_padding(bidirectional: bool) -> None:
    model, read = small(bidirectional=bidirectional), sources()
    targets = torch.randint(2, 6, (5, 3))
    together, _ = model(read, targets, LENGTHS)
    for column, length in enumerate(LENGTHS.tolist()):
        alone, _ = model(read[:length, column : column + 1], targets[:, column : column + 1])
        torch.testing.assert_close(together[:, column], alone[:, 0])


def test_the_loss_excludes_padding() -> None:
    model, read = small(), sources()
    targets = torch.tensor([[3, 4, 2], [5, 2, 0], [2, 0, 0]])
    (total, items), state = model.loss(Batch(read, targets, LENGTHS))
    logs = model(read, targets, LENGTHS)[0].log_softmax(dim=2)
    expected = sum(
        -logs[t, b, targets[t, b]] for t, b in product(range(3), range(3)) if targets[t, b]
    )
    assert items == 6 and state is None
    torch.testing.assert_close(total, expected)


def probability(model: Seq2Seq, read: torch.Tensor, ids: list[int]) -> float:
    logits, _ = model(read, torch.tensor(ids)[:, None])
    logs = logits.log_softmax(dim=2)
    return sum(logs[t, 0, token].item() for t, token in enumerate(ids))


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_enough_beams_find_the_best_of_all_sequences(penalty: float) -> None:
    model, read = small(), sources()[:, :1]
    endless = [list(ids) for ids in product((3, 4, 5), repeat=3)]
    ended = [[*ids, 2] for n in range(3) for ids in product((3, 4, 5), repeat=n)]
    scores = {tuple(ids): probability(model, read, ids) for ids in endless + ended}
    best = max(scores, key=lambda ids: scores[ids] / len(ids) ** penalty)
    (found,) = decode(model, read, num_beams=64, max_length=3, length_penalty=penalty)
    assert tuple(found.ids) == tuple(token for token in best if token != 2)
    assert found.log_probability == pytest.approx(scores[best], abs=1e-5)
    _, weights = model(read, torch.tensor(best)[:, None])
    torch.testing.assert_close(found.attention, weights[:, 0])


def test_greedy_decoding_takes_the_most_likely_token_per_source() -> None:
    model, read = small(cell="gru"), sources()
    for column, found in enumerate(decode(model, read, LENGTHS, max_length=8)):
        memory, state = model.encode(read[: LENGTHS[column], column : column + 1])
        ids, token = [], 1
        while len(ids) < 8 and token != 2:
            logits, _, state = model.step(torch.tensor([[token]]), memory, state)
            token = int(logits[0, 0, 2:].argmax()) + 2
            ids.append(token)
        assert found.ids == [token for token in ids if token != 2]
        assert len(found.attention) == len(ids)


def test_it_learns_to_reverse() -> None:
    config = Seq2SeqConfig(9, 9, "gru", 16, 32, num_layers=1, dropout=0.0)
    torch.manual_seed(0)
    model = Seq2Seq(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(100):
        read = torch.randint(3, 9, (3, 32))
        ends = torch.full((1, 32), 2)
        (total, items), _ = model.loss(Batch(read, torch.cat((read.flip(0), ends))))
        optimizer.zero_grad()
        (total / items).backward()
        optimizer.step()
    read = torch.randint(3, 9, (3, 20))
    found = decode(model, read, num_beams=3)
    assert sum(one.ids == row for one, row in zip(found, read.flip(0).T.tolist(), strict=True)) > 17


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(SequenceError, match="attention must be one of additive, multiplicative"):
        small(attention="none")
    for penalty in (-1.0, float("nan"), float("inf")):
        with pytest.raises(SequenceError, match="length_penalty= must be at least 0"):
            decode(small(), sources(), length_penalty=penalty)
    with pytest.raises(SequenceError, match="beams and max_length must be at least 1"):
        decode(small(), sources(), LENGTHS, num_beams=0)


def test_input_feeding_is_luongs_loop() -> None:
    """Beside torch's own LSTM, one step at a time, and attention written out."""
    model = small(input_feeding=True, num_layers=1, attention="multiplicative")
    read, targets = sources(), torch.randint(2, 6, (4, 3))
    logits, _ = model(read, targets, LENGTHS)
    plain = torch.nn.LSTM(5 + 8, 8)
    plain.load_state_dict(model.decoder.state_dict())
    memory, state = model.encode(read, LENGTHS)
    (h, c), fed = state  # type: ignore[misc]
    before = torch.cat((torch.ones(1, 3, dtype=torch.int64), targets[:-1]))
    weight = model.attention.memory_map.weight
    for t in range(4):
        x = torch.cat((model.target_embedding(before[t]), fed[0]), dim=1)
        _, (h, c) = plain(x[None], (h, c))
        rows = []
        for b, length in enumerate(LENGTHS.tolist()):
            values = memory.values[:length, b]
            a = (values @ weight.T @ h[0, b]).softmax(0)
            rows.append(model.combine(torch.cat((a @ values, h[0, b]))).tanh())
        fed = torch.stack(rows)[None]
        torch.testing.assert_close(logits[t], model.readout(fed[0]))


def test_gradients_with_input_feeding_are_right() -> None:
    model = small(input_feeding=True, num_layers=1, embedding_size=2, hidden_size=3).double()
    read, targets = sources()[:3, :2], torch.tensor([[3, 4], [5, 2], [2, 0]])
    weights = [model.combine.weight, model.decoder.weight_ih_l0, model.bridge.weight]
    batch = Batch(read, targets, torch.tensor([3, 2]))

    def loss(*_: torch.Tensor) -> torch.Tensor:
        return model.loss(batch)[0].total

    assert torch.autograd.gradcheck(loss, weights)


@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm"])
@pytest.mark.parametrize("attention", ["additive", "multiplicative"])
@pytest.mark.parametrize("input_feeding", [False, True])
def test_a_step_with_packed_weights_is_the_step(
    cell: str, attention: Any, input_feeding: bool
) -> None:
    model, read = small(cell=cell, attention=attention, input_feeding=input_feeding), sources()
    with torch.inference_mode():
        memory, state = model.encode(read[:, [0, 0, 1]], LENGTHS[[0, 0, 1]])
        decoding = model.start_decoding(memory, state)
        assert isinstance(decoding, PackedDecoding)
        for tokens in torch.tensor([[1, 1, 1], [4, 5, 2], [3, 2, 4]]):
            expected, looked, state = model.step(tokens[None], memory, state)
            logits, weights = decoding.step(tokens)
            torch.testing.assert_close(logits, expected[0])
            torch.testing.assert_close(weights, looked[0])
            rows = torch.tensor([1, 0, 2])
            decoding.rearrange(rows)
            state = map_state(state, rows)


def map_state(state: Any, rows: torch.Tensor) -> Any:
    if isinstance(state, torch.Tensor):
        return state[:, rows]
    return tuple(map_state(part, rows) for part in state)


def test_what_is_added_to_a_call_is_called_in_decoding() -> None:
    model, read = small(), sources()
    model.attention.register_forward_hook(lambda _, __, found: (found[0] * 0, found[1]))
    (found,) = decode(model, read[:, :1], max_length=4)
    targets = torch.tensor([*found.ids, 2] if found.is_complete else found.ids)[:, None]
    logits, _ = model(read[:, :1], targets)
    assert (logits[:, 0, 2:].argmax(dim=1) + 2).tolist() == targets[:, 0].tolist()
