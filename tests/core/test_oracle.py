"""The oracle's score from a few draws, against the true one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from unprompt import DataError, Embeddings, TextEncoder, cosine, unit
from unprompt._scoring.floor_oracle import estimate_oracle, floor_cosines
from unprompt.types import FloatArray


class KnownVectors(TextEncoder):
    """Texts whose embeddings are given."""

    def __init__(self, known: dict[str, FloatArray]) -> None:
        self._known = known

    @property
    def identity(self) -> str:
        return "known"

    @property
    def dim(self) -> int:
        return len(next(iter(self._known.values())))

    def encode(self, texts: Sequence[str]) -> FloatArray:
        return np.stack([self._known[text] for text in texts])


class ScatteredPrompts:
    """N images whose prompts scatter around a known mean direction."""

    def __init__(self, seed: int, images: int, draws: int, noise: float) -> None:
        rng = np.random.default_rng(seed)
        dim = 64
        means = unit(rng.normal(size=(images, dim)))

        def drawn(count: int) -> FloatArray:
            scatter = rng.normal(scale=noise / np.sqrt(dim), size=(images, count, dim))
            flat = (means[:, None] + scatter).reshape(-1, dim)
            return unit(flat).reshape(images, count, dim)

        rows = drawn(draws)
        ids = tuple(f"p{i}" for i in range(images))
        self.wordings = {name: [f"{name}/{k}" for k in range(draws)] for name in ids}
        self.encoder = KnownVectors(
            {f"{name}/{k}": rows[i, k] for i, name in enumerate(ids) for k in range(draws)}
        )
        self.targets = Embeddings(ids, drawn(1)[:, 0])
        self.true = float(cosine(means, self.targets.rows).mean())
        self.naive = float(cosine(rows.mean(axis=1), self.targets.rows).mean())


@pytest.mark.parametrize("noise", [0.3, 0.8, 1.5])
@pytest.mark.parametrize("draws", [2, 4, 16])
def test_the_oracle_is_closer_to_the_true_score_than_the_sample_mean(
    draws: int, noise: float
) -> None:
    prompts = ScatteredPrompts(seed=draws, images=800, draws=draws, noise=noise)
    cosines = estimate_oracle(prompts.wordings, prompts.targets, prompts.encoder).cosines
    assert cosines.shape == (800,)
    assert cosines.mean() == pytest.approx(prompts.true, abs=0.02)
    assert abs(cosines.mean() - prompts.true) < abs(prompts.naive - prompts.true)


def test_without_noise_the_oracle_scores_one() -> None:
    prompts = ScatteredPrompts(seed=0, images=20, draws=3, noise=0)
    cosines = estimate_oracle(prompts.wordings, prompts.targets, prompts.encoder).cosines
    assert cosines == pytest.approx(1, abs=1e-6)


def test_wordings_are_joined_by_id() -> None:
    prompts = ScatteredPrompts(seed=1, images=30, draws=4, noise=0.5)
    forward = estimate_oracle(prompts.wordings, prompts.targets, prompts.encoder)
    backward = estimate_oracle(
        prompts.wordings, prompts.targets.select(prompts.targets.ids[::-1]), prompts.encoder
    )
    np.testing.assert_allclose(backward.cosines, forward.cosines[::-1])


@pytest.mark.parametrize("draws", [3, 8])
def test_the_half_width_holds_the_score_of_endless_wordings(draws: int) -> None:
    """In 95 of 100 samples of wordings of the same images, as each interval promises."""
    inside, widths = 0, []
    for seed in range(100):
        prompts = ScatteredPrompts(seed=seed, images=60, draws=draws, noise=0.8)
        oracle = estimate_oracle(prompts.wordings, prompts.targets, prompts.encoder)
        assert oracle.half_width is not None
        widths.append(oracle.half_width)
        inside += abs(float(oracle.cosines.mean()) - prompts.true) <= oracle.half_width
    assert 88 <= inside  # of a binomial with p = 0.95, 99.7 % of samples
    assert np.mean(widths) < 0.05


def test_two_wordings_say_nothing_of_the_error() -> None:
    prompts = ScatteredPrompts(seed=1, images=30, draws=2, noise=0.5)
    assert estimate_oracle(prompts.wordings, prompts.targets, prompts.encoder).half_width is None


def test_an_image_with_fewer_wordings_is_named() -> None:
    prompts = ScatteredPrompts(seed=2, images=3, draws=4, noise=0.5)
    prompts.wordings["p1"].pop()
    with pytest.raises(DataError, match=r"images without exactly 4 wordings: 'p1'$"):
        estimate_oracle(prompts.wordings, prompts.targets, prompts.encoder)


def test_a_single_wording_is_refused() -> None:
    prompts = ScatteredPrompts(seed=2, images=3, draws=1, noise=0.5)
    with pytest.raises(DataError, match="without exactly 2 wordings: 'p0'"):
        estimate_oracle(prompts.wordings, prompts.targets, prompts.encoder)


def test_the_floor_is_the_cosine_with_the_mean_train_prompt() -> None:
    train = Embeddings(("a", "b"), np.eye(3, dtype=np.float32)[:2])
    targets = Embeddings(("c", "d"), unit([[1, 1, 0], [0, 0, 1]]))
    assert floor_cosines(train, targets) == pytest.approx([1, 0], abs=1e-6)
