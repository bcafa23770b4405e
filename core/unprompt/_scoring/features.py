"""What is known of a prediction without the truth: how members agree, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from unprompt._scoring.blend import check_weights, stack
from unprompt.contracts import Batch, Evidence
from unprompt.types import DoubleArray

Features = Mapping[str, DoubleArray]
"""Name -> one number per image, of shape (N,); NaN where an image has none."""


def agreement_features(members: Mapping[str, Batch], weights: Mapping[str, float]) -> Features:
    """How members agree: the cosines of each two, the least of them, and lengths of their mean.

    A mean of unit rows is the shorter the less they agree. One member alone has no such features.

    Args:
        members: Name -> predictions for the same N images, in the order of the first.
        weights: Name -> weight in the blend; members of weight 0 are left out, as a blend that
            is in use does not run them.
    """
    used = [name for name in members if weights[name] > 0]
    if len(used) < 2:
        return {}
    first = members[used[0]].embeddings
    rows = stack([members[name].embeddings for name in used], first.ids).astype(np.float64)
    shares = check_weights([weights[name] for name in used], len(used))
    features = {
        f"agreement {used[a]} {used[b]}": np.einsum("nd,nd->n", rows[a], rows[b])
        for a, b in combinations(range(len(used)), 2)
    }
    features["least agreement"] = np.min(list(features.values()), axis=0)
    features["length, equal weights"] = np.linalg.norm(rows.mean(axis=0), axis=1)
    features["length"] = np.linalg.norm(np.einsum("m,mnd->nd", shares, rows), axis=1)
    return features


def evidence_features(members: Mapping[str, Batch], weights: Mapping[str, float]) -> Features:
    """The highest and the mean score of each member's evidence, kind by kind.

    For neighbours that is how much the kernel is concentrated on few of them, for others how near
    the nearest texts are.

    Args:
        members: As in `agreement_features`.
        weights: As in `agreement_features`.
    """
    features: dict[str, DoubleArray] = {}
    ids = next(iter(members.values())).embeddings.ids
    for name, batch in members.items():
        if weights[name] > 0:
            own = dict(zip(batch.embeddings.ids, batch.evidence, strict=True))
            features |= _scores(name, [own[image_id] for image_id in ids])
    return features


def _scores(member: str, evidence: Sequence[Sequence[Evidence]]) -> Features:
    kinds = sorted({piece.kind for pieces in evidence for piece in pieces})
    features: dict[str, DoubleArray] = {}
    for kind in kinds:
        scores = [[piece.score for piece in pieces if piece.kind == kind] for pieces in evidence]
        for word, summary in (("highest", np.max), ("mean", np.mean)):
            values = [float(summary(own)) if own else np.nan for own in scores]
            features[f"{word} {kind} {member}"] = np.array(values)
    return features
