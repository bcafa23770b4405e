"""What a CLIP's text tower learns of a sentence encoder, and how the contrast passes it on.

CLIP's own loss tells prompts apart but says nothing of which are alike; CLIPs that have read the
web know that. A small one learns it from a sentence encoder, in its text tower only (`readout`,
`relations`). Its image tower then meets the text tower in a contrast, whose labels may know which
prompts are alike (`alike`, `contrast`). No image of a CLIP is ever compared with a row of the
sentence encoder, so the two towers keep a space of their own, of any width. A regression, whose
outputs are meant to be such rows, takes the same contrast with them.

All tensors are float32. Of a batch of n images there are m >= n texts, whose first n are the
images' own prompts; D is the width of the sentence encoder's rows, C that of the towers'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unprompt.train.losses import cosine

if TYPE_CHECKING:
    import torch


def readout(texts: torch.Tensor, head: torch.nn.Module, targets: torch.Tensor) -> torch.Tensor:
    """Mean of 1 - cosine between what ``head`` reads from the text embeddings and the target rows.

    The head is thrown away after training. It is linear, so that what it reads is what a linear
    combination of texts keeps, as kNN regression makes one.

    Args:
        texts: Unit rows of the text tower, of shape (n, C).
        head: From C to D numbers.
        targets: The sentence encoder's unit rows of the same texts, of shape (n, D).

    Returns:
        A number in [0, 2].
    """
    return cosine(head(texts), targets)


def relations(texts: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of the pairwise cosines in both spaces, over pairs of two texts.

    Source: relational distillation, Park et al. 2019, arXiv 1904.05068, with cosines as in Tung and
    Mori 2019, arXiv 1907.09682.

    Args:
        texts: Unit rows of the text tower, of shape (n, C), n >= 2.
        targets: The sentence encoder's unit rows of the same texts, of shape (n, D).

    Returns:
        A number in [0, 4].
    """
    differences = texts @ texts.T - targets @ targets.T  # (n, n), zero on the diagonal
    count = len(texts)
    return differences.square().sum() / (count * (count - 1))


def alike(texts: torch.Tensor, candidates: torch.Tensor, scale: float) -> torch.Tensor:
    """Soft labels: for each text, which candidates are alike, as one distribution.

    Both arguments are of one space, the text tower's or the sentence encoder's. A large scale makes
    them the hard labels of CLIP's loss, 1 for the text itself.

    Source: SoftCLIP, Gao et al. 2023, arXiv 2303.17561.

    Args:
        texts: Unit rows of shape (n, W).
        candidates: Unit rows of shape (m, W).
        scale: Multiplies the cosines in the softmax; > 0.

    Returns:
        Of shape (n, m), rows that add up to 1, without a gradient.
    """
    return (scale * (texts.detach() @ candidates.detach().T)).softmax(dim=1)


def contrast(
    images: torch.Tensor, texts: torch.Tensor, labels: torch.Tensor, scale: torch.Tensor | float
) -> torch.Tensor:
    """CLIP's symmetric cross-entropy with soft labels.

    Source: CLIP, Radford et al. 2021, arXiv 2103.00020, with labels of `alike`. With a frozen text
    tower it is LiT, Zhai et al. 2022, arXiv 2111.07991; texts of other images then cost no more
    than a product, and can be added as candidates.

    Args:
        images: Unit rows of the image tower, of shape (n, C).
        texts: Unit rows of the text tower, of shape (m, C), m >= n: the images' own first.
        labels: Of shape (n, m), rows that add up to 1; symmetric in its first n columns.
        scale: Multiplies the cosines in the softmax; > 0.

    Returns:
        The mean over images, and over their own texts, of the cross-entropy.
    """
    from torch.nn.functional import cross_entropy

    logits = scale * images @ texts.T  # (n, m)
    own = labels[:, : len(images)]
    own = own / own.sum(dim=1, keepdim=True)
    to_texts = cross_entropy(logits, labels)
    to_images = cross_entropy(logits[:, : len(images)].T, own)
    return (to_texts + to_images) / 2
