"""What members see of images: the features of their towers, or their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from unprompt.contracts import Batch
from unprompt.embeddings import Embeddings
from unprompt.types import BoolArray, FloatArray


def seeing_members(members: Mapping[str, Batch]) -> list[str]:
    """The members that say of every image what they see, else the one that does of most."""
    images = {name: int(_seen(batch).answered.sum()) for name, batch in members.items()}
    most = max(images.values())
    seeing = [name for name, count in images.items() if count == most]
    return seeing if most == len(members[seeing[0]].embeddings) else seeing[:1]


def side_by_side(
    members: Mapping[str, Batch], names: Sequence[str]
) -> tuple[FloatArray, BoolArray]:
    """Some members' features of an image as one; images as in the first member.

    Returns:
        Rows of shape (N, F), and which of them are of all these members, of shape (N,).
    """
    ids = members[names[0]].embeddings.ids
    seen = [_seen(members[name]).align(ids) for name in names]
    rows: FloatArray = np.concatenate([features.rows for features in seen], axis=1)
    return rows, np.all([features.answered for features in seen], axis=0)


def _seen(batch: Batch) -> Embeddings:
    """What is known of how a member sees images."""
    return batch.embeddings if batch.features is None else batch.features
