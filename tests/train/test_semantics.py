"""Losses of a text tower that learns which prompts are alike, and of the contrast that knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from unprompt.train.semantics import alike, contrast, readout, relations

if TYPE_CHECKING:
    import torch

N, M, C, D = 6, 9, 4, 7


def rows(count: int, width: int, seed: int) -> torch.Tensor:
    import torch
    from torch.nn.functional import normalize

    return normalize(torch.randn(count, width, generator=torch.Generator().manual_seed(seed)))


def test_readout_is_one_minus_the_cosine_of_a_linear_map() -> None:
    import torch

    torch.manual_seed(0)
    head, texts, targets = torch.nn.Linear(C, D), rows(N, C, 1), rows(N, D, 2)
    weight, bias = (p.detach().numpy().astype(float) for p in head.parameters())
    read = texts.numpy() @ weight.T + bias
    cosines = (read * targets.numpy()).sum(1) / np.linalg.norm(read, axis=1)
    assert float(readout(texts, head, targets).detach()) == pytest.approx(
        1 - cosines.mean(), abs=1e-6
    )


def test_relations_are_the_pairs_of_two_texts() -> None:
    texts, targets = rows(N, C, 1), rows(N, D, 2)
    squares = [
        float(texts[i] @ texts[j] - targets[i] @ targets[j]) ** 2
        for i in range(N)
        for j in range(N)
        if i != j
    ]
    assert float(relations(texts, targets)) == pytest.approx(np.mean(squares), abs=1e-6)


def test_relations_are_zero_where_a_space_is_the_other_one_turned() -> None:
    import torch

    turned, _ = torch.linalg.qr(torch.randn(C, C, generator=torch.Generator().manual_seed(3)))
    assert float(relations(rows(N, C, 1) @ turned, rows(N, C, 1))) == pytest.approx(0, abs=1e-12)


def test_alike_is_a_softmax_of_cosines_without_a_gradient() -> None:
    texts, candidates = rows(N, C, 1).requires_grad_(), rows(M, C, 2).requires_grad_()
    labels = alike(texts, candidates, 7.0)
    assert not labels.requires_grad
    wanted = softmax(7.0 * texts.detach().numpy() @ candidates.detach().numpy().T, axis=1)
    np.testing.assert_allclose(labels, wanted, rtol=1e-5)


def test_with_hard_labels_the_contrast_is_the_loss_of_clip() -> None:
    import open_clip
    import torch

    images, texts, scale = rows(N, C, 1), rows(N, C, 2), torch.tensor(14.0)
    wanted = open_clip.ClipLoss()(images, texts, scale)
    assert float(contrast(images, texts, torch.eye(N), scale)) == pytest.approx(
        float(wanted), abs=1e-5
    )
    hard = contrast(images, texts, alike(texts, texts, 1e4), scale)
    assert float(hard) == pytest.approx(float(wanted), abs=1e-5)


def test_more_candidates_stand_against_the_images_only() -> None:
    images, texts = rows(N, C, 1), rows(M, C, 2)
    labels = alike(texts[:N], texts, 5.0)
    logits, soft = 7.0 * images.numpy() @ texts.numpy().T, labels.numpy()
    own = soft[:, :N] / soft[:, :N].sum(1, keepdims=True)
    to_texts = -(soft * log_softmax(logits, axis=1)).sum(1).mean()
    to_images = -(own * log_softmax(logits[:, :N].T, axis=1)).sum(1).mean()
    loss = contrast(images, texts, labels, 7.0)
    assert float(loss) == pytest.approx((to_texts + to_images) / 2, abs=1e-5)


def test_an_image_learns_the_mean_of_the_texts_it_may_have() -> None:
    import torch
    from torch.nn.functional import normalize

    # One image, of which either text is as likely: with soft labels it comes to lie between them.
    pool = rows(40, C, 5)
    free = rows(1, C, 6).clone().requires_grad_()
    optimiser = torch.optim.Adam([free], lr=0.05)
    labels = alike(pool[:2], pool, 3.0).mean(0, keepdim=True)
    for _ in range(400):
        optimiser.zero_grad()
        contrast(normalize(free), pool, labels, 3.0).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    mean = normalize(pool[:2].mean(0, keepdim=True))
    assert float((normalize(free.detach()) * mean).sum()) > 0.95
