"""What a replay says, against loops over the same weights and the grammar asked anew."""

from collections import Counter

import numpy as np
import pytest
import torch

import sluice
from sampling import thin_out
from sluice.studio.glass.packing import restore, unpack
from sluice.studio.glass.replay import replay_tune
from sluice.tunes.composition.composer import Composer
from sluice.tunes.composition.sampling import TuneAttempts
from sluice.tunes.errors import TuneError
from studio.glass.compositions import TUNE, compose, load_shipped, make_composer


def read_values(content: bytes, layer: int = 0) -> dict[str, np.ndarray]:
    """All values of a layer by name, (steps, units), and ``units``."""
    header, arrays = unpack(content)
    own = header["layers"][layer]
    found = {"units": np.array(own["units"]["numbers"])}
    for value in own["values"]:
        name = value["array"]
        found[value["name"]] = restore(arrays[name], arrays[name + ".range"])
        found[value["name"] + " step"] = np.ptp(arrays[name + ".range"], axis=0) / 255
    return found


def get_inputs(composer: Composer, tokens) -> torch.Tensor:
    return torch.tensor([1, *composer.checkpoint.vocabulary.encode(tokens)])[:, None]


def loop_lstm(layers, x, layer):
    """Hochreiter & Schmidhuber's cell with a forget gate, step by step in float64."""
    weights = [
        getattr(layers, f"{name}_l{layer}").double()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    w, r, b, d = weights
    h = c = torch.zeros(r.shape[1], dtype=torch.float64)
    found = []
    for row in x.double():
        i, f, g, o = (w @ row + b + r @ h + d).chunk(4)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c + i * g
        h = o * c.tanh()
        found.append({"input": i, "forget": f, "candidate": g, "output": o, "c": c, "h": h})
    return {name: torch.stack([one[name] for one in found]) for name in found[0]}


def loop_gru(layers, x):
    w, r, b, d = (
        getattr(layers, f"{name}_l0").double()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    h = torch.zeros(r.shape[1], dtype=torch.float64)
    found = []
    for row in x.double():
        of_x, of_h = (w @ row + b).chunk(3), (r @ h + d).chunk(3)
        reset, update = ((of_x[k] + of_h[k]).sigmoid() for k in (0, 1))
        candidate = (of_x[2] + reset * of_h[2]).tanh()
        h = (1 - update) * candidate + update * h
        found.append({"reset": reset, "update": update, "candidate": candidate, "h": h})
    return {name: torch.stack([one[name] for one in found]) for name in found[0]}


def check_values(found, expected):
    units = found["units"]
    for name, value in expected.items():
        error = np.abs(found[name] - value.detach().numpy()[:, units])
        assert (error <= found[name + " step"] / 2 * 1.001 + 2e-5).all(), name


@torch.no_grad()
def test_values_of_the_shipped_lstm_are_those_of_a_loop():
    composer = load_shipped()
    tokens, request = compose()
    content = replay_tune(composer, tokens, request, 4)
    model = composer.checkpoint.model
    x = model.embedding(get_inputs(composer, tokens)[:, 0])
    for layer in range(2):
        expected = loop_lstm(model.layers, x, layer)
        check_values(read_values(content, layer), expected)
        header, arrays = unpack(content)
        own = header["layers"][layer]
        assert own["kept"] == {
            "state": "c",
            "gate": "forget",
            "is_complement": False,
            "array": f"l{layer}.kept",
        }
        np.testing.assert_allclose(
            arrays[f"l{layer}.kept"], expected["forget"].mean(dim=1), atol=1e-5
        )
        x = expected["h"].float()


@torch.no_grad()
def test_values_of_a_gru_are_those_of_a_loop():
    composer = make_composer("gru")
    content = replay_tune(composer, TUNE)
    model = composer.checkpoint.model
    expected = loop_gru(model.layers, model.embedding(get_inputs(composer, TUNE)[:, 0]))
    found = read_values(content)
    assert sorted(found["units"]) == list(range(20))
    check_values(found, expected)
    header, arrays = unpack(content)
    assert header["layers"][0]["kept"]["gate"] == "update"
    np.testing.assert_allclose(arrays["l0.kept"], expected["update"].mean(dim=1), atol=1e-6)


@pytest.mark.parametrize(
    ("cell", "state", "share"),
    thin_out(
        [
            ("minlstm", "h", lambda v: v["forget"] / (v["forget"] + v["input"])),
            ("mingru", "h", lambda v: 1 - v["update"]),
            ("slstm", "c", lambda v: v["forget"]),
            ("layernormlstm", "c", lambda v: v["forget"]),
            ("janet", "h", lambda v: v["forget"]),
            ("peepholelstm", "c", lambda v: v["forget"]),
            ("lstm1997", "c", lambda v: torch.ones_like(v["c"])),
        ],
        3,
    ),
)
@torch.no_grad()
def test_the_share_that_is_kept_is_derived_for_other_cells(cell, state, share):
    composer = make_composer(cell, num_layers=2)
    content = replay_tune(composer, TUNE)
    header, arrays = unpack(content)
    model = composer.checkpoint.model
    with sluice.record(model) as tape:
        model(get_inputs(composer, TUNE))
    for number, layer in enumerate(header["layers"]):
        values = {
            name: value[:, 0].double() for name, value in tape["layers"].layer(number).items()
        }
        assert layer["kept"]["state"] == state
        expected = share(values).mean(dim=1)
        np.testing.assert_allclose(arrays[layer["kept"]["array"]], expected, atol=1e-6)
        assert {one["name"] for one in layer["values"]} == set(values)
    assert b'class="wire"' in bytes(arrays["sketch"])


def test_a_cell_without_a_gated_state_keeps_no_share():
    header, arrays = unpack(replay_tune(make_composer("elman"), TUNE))
    assert "kept" not in header["layers"][0]
    assert not header["layers"][0]["is_carried_over"]
    assert "l0.kept" not in arrays


@torch.no_grad()
def test_a_share_may_be_a_learned_vector():
    composer = make_composer("fastrnn", num_layers=1)
    header, arrays = unpack(replay_tune(composer, TUNE))
    beta = composer.checkpoint.model.layers.beta_l0.sigmoid()
    assert header["layers"][0]["kept"]["state"] == "h"
    np.testing.assert_allclose(arrays["l0.kept"], beta.expand(len(TUNE) + 1), atol=1e-6)


@pytest.mark.parametrize(
    "cell", thin_out(["matrixlstm", "deltanet", "fastweights", "qrnn", "nascell"], 5)
)
def test_values_that_are_no_numbers_of_one_unit_are_left_out(cell):
    header, arrays = unpack(replay_tune(make_composer(cell, hidden_size=8), TUNE))
    for layer in header["layers"]:
        names = {value["name"] for value in layer["values"]}
        assert names
        assert not names & set(layer["left_out"])
        assert layer["memory"] in names
        for value in layer["values"]:
            shape = (len(TUNE) + 1, len(layer["units"]["numbers"]))
            assert arrays[value["array"]].shape == shape


@torch.no_grad()
def test_odds_are_those_of_the_model_and_of_the_grammar():
    composer = load_shipped()
    tokens, request = compose()
    header, arrays = unpack(replay_tune(composer, tokens, request, 4))
    model, vocabulary = composer.checkpoint.model, composer.checkpoint.vocabulary
    logits = model(get_inputs(composer, tokens))[0][:, 0].double()
    own = logits.softmax(dim=1)
    ids = [*vocabulary.encode(tokens), 2]
    assert arrays["drawn"].tolist() == ids
    np.testing.assert_allclose(arrays["drawn.model"], own[range(len(ids)), ids], atol=1e-6)
    best = own.topk(5, dim=1)
    assert (arrays["odds.tokens"] == best.indices.numpy()).mean() > 0.99  # ties may be swapped
    np.testing.assert_allclose(arrays["odds.model"], best.values, atol=1e-6)

    attempt = TuneAttempts(composer.sampler, request, 4).begin()
    grammar, state = attempt.grammar, attempt.grammar.start()
    assert header["is_drawn"]
    assert header["given"] == 2
    for step, token in enumerate(ids[:-1]):
        allowed = torch.as_tensor(grammar.get_allowed_tokens(state)).clone()
        allowed[:2] = False
        if step >= len(request.prompt):
            forbidden = ~allowed[torch.from_numpy(arrays["odds.tokens"][step].astype(int))]
            assert arrays["odds.forbidden"][step].tolist() == forbidden.int().tolist()
            assert arrays["allowed.count"][step] == int(allowed.sum())
            share = own[step][~allowed].sum()
            assert arrays["forbidden.share"][step] == pytest.approx(float(share), abs=1e-5)
            weights = (logits[step].masked_fill(~allowed, -torch.inf) / 0.9).softmax(0)
            found = arrays["drawn.sampled"][step]
            assert found == pytest.approx(float(weights[token]), abs=1e-5)
        state = grammar.advance(state, token)


def test_a_later_attempt_is_found_by_its_random_numbers():
    composer = load_shipped()
    tokens, request = compose()
    header, _ = unpack(replay_tune(composer, tokens, request, 5))
    assert not header["is_drawn"]  # of seed 4, so no attempt of 5 gave it
    request = composer.stream(dance="reel", key="Em").request
    (drawn,) = composer.sampler.draw_tunes(request, [4 + 0x9E3779B97F4A7C15])
    tokens = composer.sampler.spelling.encode(drawn.tokens, drawn.rhythm)
    header, _ = unpack(replay_tune(composer, tokens, request, 4))
    assert header["is_drawn"]  # by the second attempt


def test_units_follow_bars_pitch_and_repeats():
    tokens, request = compose()
    header, _ = unpack(replay_tune(load_shipped(), tokens, request, 4))
    for layer in header["layers"]:
        units = layer["units"]
        assert len(set(units["numbers"])) == 64
        assert Counter(units["reasons"]) == dict.fromkeys(
            ("bars", "pitch", "repeats", "varies"), 16
        )
    pitches = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}
    heard, value = [], 0
    for token in tokens:
        letter = token.lstrip("^_=")[0]
        if letter.upper() in pitches and ":" not in token:
            octaves = letter.islower() + token.count("'") - token.count(",")
            shift = token.count("^") - token.count("_")
            value = pitches[letter.upper()] + 12 * octaves + shift
        heard.append(value)
    unit = header["layers"][1]["units"]["reasons"].index("pitch")
    state = read_values(replay_tune(load_shipped(), tokens, request, 4), 1)["c"][1:, unit]
    sounding = np.array(heard) > 0
    expected = np.corrcoef(state[sounding], np.array(heard)[sounding])[0, 1]
    assert header["layers"][1]["units"]["correlations"][unit] == pytest.approx(expected, abs=0.05)


def test_the_file_is_small_and_the_same_every_time():
    tokens, request = compose()
    content = replay_tune(load_shipped(), tokens, request, 4)
    assert content == replay_tune(load_shipped(), tokens, request, 4)
    _, arrays = unpack(content)
    assert len(content) - len(arrays["sketch"]) < 135_000


def test_tokens_know_their_bar_and_note():
    header, _ = unpack(replay_tune(make_composer("gru"), TUNE))
    notes = dict(zip(enumerate(TUNE), header["notes"], strict=True))
    assert [notes[k, t] for k, t in enumerate(TUNE)][:9] == [-1, -1, -1, 0, 0, 1, 2, 2, -1]
    chord = TUNE.index("[")
    assert header["notes"][chord : chord + 5] == [8] * 5
    assert header["notes"][TUNE.index("-")] == header["notes"][TUNE.index("-") - 1] == 6
    assert [header["bars"][k] for k, t in enumerate(TUNE) if t in ("|", ":|")] == [0, 1, 2, 3]
    assert header["bars"][:3] == [-1, -1, -1]


def test_unknown_tokens_are_refused():
    with pytest.raises(TuneError, match="not trained on"):
        replay_tune(make_composer("gru"), (*TUNE[:-1], "^f'", ":|"))
