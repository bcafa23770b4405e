"""Scores of the prompts that are shown beside predicted embeddings."""

from __future__ import annotations

from collections.abc import Mapping

from unprompt._scoring.estimate import Estimate, Result


class TextScores(Result):
    """How good shown prompts are as texts, on the images of a split that have a predicted one.

    Attributes:
        images: How many there are.
        groups: Groups of near-duplicate prompts among them.
        composed: How many are put together from parts of several texts.
        readback: The mean cosine of a shown prompt's embedding with the predicted one.
        shown: The mean cosine of a shown prompt's embedding with the true prompt's.
        nearest: The same of the nearest of the members' texts, as it is.
        shown_minus_nearest: The difference, image by image.
        subsets: The same on each subset of the test images that has such prompts.
    """

    images: int
    groups: int
    composed: int
    readback: Estimate
    shown: Estimate
    nearest: Estimate
    shown_minus_nearest: Estimate
    subsets: Mapping[str, TextScores] = {}
