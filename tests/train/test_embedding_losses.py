"""What an image tower loses that predicts the embedding of the prompt."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unprompt._recipes.losses import EmbeddingLosses
from unprompt._recipes.models import Features
from unprompt._recipes.recipe import RegressionConfig
from unprompt._recipes.targets import Targets
from unprompt.train.pixels import Pixels

PREPROCESS = Pixels(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_the_contrast_is_with_the_batchs_targets_and_the_others(
    regression: Callable[..., RegressionConfig],
) -> None:
    import torch
    from scipy.special import log_softmax, softmax

    rng = np.random.default_rng(3)
    targets = rng.normal(size=(9, 5)).astype(np.float32)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    known = Targets([f"prompt {i}" for i in range(9)], targets)
    losses = EmbeddingLosses(regression(contrast=0.3, alike=4.0, candidates=3), known, PREPROCESS)
    model = torch.nn.ModuleDict(losses.heads(8, patches=False))
    features = Features(torch.randn(2, 8, generator=torch.Generator().manual_seed(1)))
    pixels, rows, others = torch.zeros(2, 3, 32, 32), torch.tensor([6, 1]), torch.tensor([0, 8, 3])
    loss = losses.loss(model, features, pixels, rows, others).item()

    predicted = losses.predicted(model, features).detach().numpy().astype(np.float64)
    own, among = targets[[6, 1]], targets[[6, 1, 0, 8, 3]]
    labels = softmax(4 * own @ among.T, axis=1)
    to_targets = -(labels * log_softmax(4 * predicted @ among.T, axis=1)).sum(1).mean()
    labels = softmax(4 * own @ own.T, axis=1)
    to_images = -(labels * log_softmax(4 * own @ predicted.T, axis=1)).sum(1).mean()
    cosines = (predicted * own).sum(1)
    expected = 1 - cosines.mean() + 0.3 * (to_targets + to_images) / 2
    assert loss == pytest.approx(expected, abs=1e-5)
