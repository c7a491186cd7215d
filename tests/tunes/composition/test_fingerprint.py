from pathlib import Path

import pytest
import torch

from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Vocabulary
from sluice.tunes.composition import fingerprint
from sluice.tunes.composition.composer import Composer
from sluice.tunes.composition.fingerprint import compute_fingerprint
from sluice.tunes.corpus.statistics import TuneStatistics

TOKENS = ("M:4/4", "K:Cmaj", "c", "d", "|", "|:", ":|")


def make_checkpoint(tokens: tuple[str, ...] = TOKENS) -> Checkpoint:
    torch.manual_seed(2)
    model = LanguageModel(LanguageModelConfig(len(tokens) + 3, hidden_size=8))
    figures = {"exact_bars": 1.0, "on_tonic": 1.0, "unique_bars": 1.0}
    return Checkpoint(model.eval(), Vocabulary(tokens), {"corpus": figures})


def test_it_survives_saving_and_loading(tmp_path: Path) -> None:
    checkpoint = make_checkpoint()
    found = compute_fingerprint(checkpoint)
    assert len(found) == 64 and set(found) <= set("0123456789abcdef")
    assert found == compute_fingerprint(make_checkpoint())
    checkpoint.save(tmp_path / "tunes.safetensors")
    loaded = Composer.load(tmp_path / "tunes.safetensors")
    assert loaded.fingerprint == found
    loaded.compose(seed=1)
    assert loaded.fingerprint == found
    assert Composer.load(tmp_path / "tunes.safetensors", "int8").fingerprint != found


@pytest.mark.parametrize("number", range(len(make_checkpoint().model.state_dict())))
def test_it_changes_with_any_weight(number: int) -> None:
    checkpoint = make_checkpoint()
    before = compute_fingerprint(checkpoint)
    tensor = [*checkpoint.model.state_dict().values()][number]
    with torch.no_grad():
        last = tensor.view(-1)[-1:]
        last.copy_(torch.nextafter(last, torch.tensor(9.0)))
    assert compute_fingerprint(checkpoint) != before


def test_it_changes_with_vocabulary_and_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    before = compute_fingerprint(make_checkpoint())
    assert compute_fingerprint(make_checkpoint((*TOKENS[:2], "d", "c", *TOKENS[4:]))) != before
    monkeypatch.setattr(fingerprint, "RECIPE_VERSION", fingerprint.RECIPE_VERSION + 1)
    assert compute_fingerprint(make_checkpoint()) != before


def test_each_tune_of_a_batch_is_composed_again_from_its_own_seed() -> None:
    made = Composer(make_checkpoint(), TuneStatistics(1.0, 1.0, 1.0))
    tunes = made.compose(4, seed=5)
    assert [tune.seed for tune in tunes] == [5, 6, 7, 8]
    for tune in tunes:
        assert tune.seed is not None
        (again,) = made.compose(seed=tune.seed)
        assert again == tune
    assert any(tune.tokens != tunes[0].tokens for tune in tunes)
    assert made.extend(tunes[0], seed=1).seed is None
