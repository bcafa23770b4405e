"""The words of the prompts as classes: labels, the head's start, and what the loss asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from unprompt._files.hashing import file_hash
from unprompt._recipes.execute import Trained
from unprompt._recipes.losses import EmbeddingLosses
from unprompt._recipes.models import Features
from unprompt._recipes.recipe import RegressionConfig
from unprompt._recipes.targets import Targets
from unprompt._recipes.words import RARE, Words
from unprompt.contracts import TextEncoder
from unprompt.errors import ConfigError
from unprompt.train.pixels import Pixels
from unprompt.types import FloatArray
from unprompt_painter.painter import Painter, PainterOptions

Make = Callable[..., Path]
PROMPTS = ["a red fox"] * RARE + ["a Fox, blue"] * RARE + ["a rare heron"] * (RARE - 1)


class Letters(TextEncoder):
    """Counts letters, for tests that need only some target space."""

    identity = "letters"
    dim = 26

    def encode(self, texts: list[str]) -> FloatArray:  # type: ignore[override]  # lists will do
        rows = np.array([[text.count(chr(97 + i)) for i in range(26)] for text in texts])
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        scaled: FloatArray = (rows / norms).astype(np.float32)
        return scaled


def test_words_are_shared_out_and_rare_ones_left_out() -> None:
    words = Words([(prompt,) for prompt in PROMPTS])
    assert words.vocabulary == ("a", "blue", "fox", "red")
    assert words.labels[0].tolist() == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3])
    assert words.labels[RARE].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert words.labels[-1].tolist() == [1, 0, 0, 0]  # of "a rare heron" only "a" is known


def test_other_wordings_share_the_label_with_the_own_prompt() -> None:
    words = Words([(prompt, "a red fox") for prompt in PROMPTS])
    assert words.labels[RARE].tolist() == pytest.approx([2 / 6, 1 / 6, 2 / 6, 1 / 6])


def test_the_head_starts_from_the_frequencies_and_the_loss_is_least_at_the_label() -> None:
    import torch

    words = Words([(prompt,) for prompt in PROMPTS])
    rows = torch.tensor([0, RARE])
    logits = words.head(5)(torch.randn(2, 5))
    assert torch.allclose(logits.softmax(1)[0], words.labels.mean(0), atol=1e-5)
    start = words.loss(logits, rows)
    right = words.loss(words.labels[rows].clamp(min=1e-6).log(), rows)
    assert right == pytest.approx(np.log(3), abs=1e-3)  # three words, equally likely
    assert right < start < words.loss(words.labels[rows.flip(0)].clamp(min=1e-6).log(), rows)


def test_the_weighted_loss_of_the_words_is_added(
    regression: Callable[..., RegressionConfig],
) -> None:
    import torch

    targets = Targets(PROMPTS, np.eye(len(PROMPTS), dtype=np.float32))
    preprocess = Pixels(32, (0.5,) * 3, (0.5,) * 3)
    losses = EmbeddingLosses(regression(words=0.5), targets, preprocess)
    plain = EmbeddingLosses(regression(), targets, preprocess)
    model = torch.nn.ModuleDict(losses.heads(8, patches=False))
    assert set(model) == {"fc", "words"}
    features, rows, none = Features(torch.randn(3, 8)), torch.tensor([0, 5, 12]), torch.zeros(())
    others = torch.empty(0, dtype=torch.int64)
    words = targets.words.loss(model["words"](features.pooled), rows)
    expected = plain.loss(model, features, none, rows, others) + 0.5 * words
    assert torch.allclose(losses.loss(model, features, none, rows, others), expected)


def test_targets_ask_the_dataset_for_other_wordings() -> None:
    world = Painter(PainterOptions(seed=3, images=20, size=16))
    targets = Targets.of(world, Letters(), wordings=4)
    ids = [record.image_id for record in world.records()]
    assert targets.prompts == [record.prompt for record in world.records()]
    assert [list(more) for more in targets.others] == list(world.wordings(ids, 3).values())
    assert targets.embeddings.shape == (20, 26)
    assert Targets.of(world, Letters()).others == ()


def test_a_dataset_that_knows_no_other_wordings_is_one_clear_line() -> None:
    class Silent(Painter):
        def wordings(self, image_ids: Sequence[str], count: int) -> None:  # type: ignore[override]  # a dataset may
            return None

    with pytest.raises(ConfigError, match=r"^wordings: has to be 1: this dataset knows no other"):
        Targets.of(Silent(PainterOptions(images=3)), Letters(), wordings=2)


def test_a_tower_that_does_not_fit_the_contrastive_recipe_is_one_clear_line(
    train: Callable[..., Trained], toy_tower: Make, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"open_clip_config\.json: cannot be read"):
        train("clip-b.yaml", tmp_path)
    folder = toy_tower("clip-b")
    with pytest.raises(ConfigError, match=r"open_clip_config\.json: \d+ tokens, vocab_size 600$"):
        train("clip-b.yaml", folder, "vocabulary=700")


def test_precision_auto_trains_in_what_the_processor_computes_in(
    train: Callable[..., Trained], toy_tower: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    folder = toy_tower("vision-a")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in bfloat16 are not the same twice on several

    def weights(precision: str) -> str:
        train("vision-a.yaml", folder, f"runtime.precision={precision}")
        return file_hash(folder / "model.safetensors")

    single, half = weights("float32"), weights("bfloat16")
    assert single != half
    for native, wanted in ((True, half), (False, single)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda native=native: native)
        assert weights("auto") == wanted
    torch.set_num_threads(threads)
