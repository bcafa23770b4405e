"""Losses between predicted rows and target rows.

Each gives one number for a batch of n images: the mean of the images' losses, each multiplied by
its weight. Weights have a mean of 1 over all train images, so that the mean over parts of a batch
(several processes, accumulated gradients) is the loss of the whole batch. Predicted rows have any
length. Everything is float32; call them without autocast.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def cosine(
    predicted: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """``1 - cos``: 0 for equal directions, 2 for opposite ones.

    Args:
        predicted: Of shape (n, D).
        targets: Of shape (n, D); a zero row counts as at a right angle.
        weights: Of shape (n,); None: each is 1.
    """
    from torch.nn.functional import cosine_similarity

    losses = 1 - cosine_similarity(predicted, targets)
    return losses.mean() if weights is None else _mean(losses, weights)


def angular(predicted: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The angle between the rows over pi: 0 for equal directions, 1 for opposite ones.

    Kahan's formula ``2 atan2(|a - b|, |a + b|)`` of unit rows: where the arc cosine of a rounded
    cosine has an infinite gradient, at 0 and at pi, this one's is zero or of finite length.

    Source: the 33rd-place solution of the Kaggle competition found the angle better than the cosine
    (no formula is published); W. Kahan, How Futile are Mindless Assessments of Roundoff, 2006.

    Args:
        predicted: Of shape (n, D).
        targets: Of shape (n, D).
        weights: Of shape (n,).
    """
    import torch
    from torch.nn.functional import normalize

    a, b = normalize(predicted), normalize(targets)
    angles = 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))
    return _mean(angles / math.pi, weights)


def huber(predicted: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Huber's loss with threshold 1, mean over the D numbers of a row; rows are not normalised.

    It keeps the lengths of predicted rows near the targets'.

    Args:
        predicted: Of shape (n, D).
        targets: Of shape (n, D).
        weights: Of shape (n,).
    """
    from torch.nn.functional import huber_loss

    each = huber_loss(predicted, targets, reduction="none")
    return _mean(each.mean(dim=1), weights)


def words(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of the words of each prompt, mean over the W words.

    Args:
        logits: Of shape (n, W).
        labels: 1 where the prompt has the word, else 0; of shape (n, W).
        weights: Of shape (n,).
    """
    from torch.nn.functional import binary_cross_entropy_with_logits

    each = binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return _mean(each.mean(dim=1), weights)


def contrastive(
    predicted: torch.Tensor,
    targets: torch.Tensor,
    prompts: torch.Tensor,
    weights: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Cross-entropy of finding an image's prompt among those of the batch (InfoNCE).

    Equal prompts are no negatives of each other. In several processes the negatives are those of
    the process's own part of the batch.

    Source: van den Oord et al. 2018, arXiv 1807.03748; one direction of CLIP's, Radford et al.
    2021, arXiv 2103.00020. The 11th-place solution of the Kaggle competition had one.

    Args:
        predicted: Of shape (n, D).
        targets: Of shape (n, D).
        prompts: A number for each prompt, the same for equal ones; of shape (n,).
        weights: Of shape (n,).
        temperature: Divides the cosines.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    cosines = normalize(predicted) @ normalize(targets).T  # (n, n)
    own = torch.arange(len(cosines), device=cosines.device)
    equal = (prompts[:, None] == prompts) & (own[:, None] != own)
    logits = (cosines / temperature).masked_fill(equal, -math.inf)
    return _mean(cross_entropy(logits, own, reduction="none"), weights)


def _mean(losses: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (losses * weights).mean()
