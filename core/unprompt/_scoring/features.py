"""What is known of a prediction without the truth: how members agree, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np

from unprompt._scoring.blend import check_weights, stack
from unprompt.contracts import Batch, Evidence
from unprompt.types import BoolArray, DoubleArray

Features = Mapping[str, DoubleArray]
"""Name -> one number per image, of shape (N,); NaN where an image has none."""


def agreement_features(members: Mapping[str, Batch], weights: Mapping[str, float]) -> Features:
    """How members agree: the cosines of each two, the least of them, and lengths of their mean.

    A mean of unit rows is the shorter the less they agree. One member alone has no such features;
    where a member abstains, the features are those of the others, and NaN where they say nothing.

    Args:
        members: Name -> predictions for the same N images, in the order of the first.
        weights: Name -> weight in the blend; members of weight 0 are left out, as a blend that
            is in use does not run them.
    """
    used = used_members(members, weights)
    if len(used) < 2:
        return {}
    first = members[used[0]].embeddings
    rows = stack([members[name].embeddings for name in used], first.ids).astype(np.float64)
    shares = check_weights([weights[name] for name in used], len(used))
    answered = np.asarray(rows.any(axis=2), np.bool_)  # (M, N)
    features = {
        f"agreement {used[a]} {used[b]}": np.where(
            answered[a] & answered[b], np.einsum("nd,nd->n", rows[a], rows[b]), np.nan
        )
        for a, b in combinations(range(len(used)), 2)
    }
    features["least agreement"] = np.fmin.reduce(list(features.values()), axis=0)  # NaN if all are
    equal = np.full(len(used), 1 / len(used))
    features["length, equal weights"] = _length(equal, rows, answered)
    features["length"] = _length(shares, rows, answered)
    return features


def answer_features(members: Mapping[str, Batch], weights: Mapping[str, float]) -> Features:
    """Whether each member answered, 1 or 0.

    Args:
        members: As in `agreement_features`.
        weights: As in `agreement_features`.
    """
    used = used_members(members, weights)
    return {
        f"answered {name}": members[name]
        .embeddings.align(members[used[0]].embeddings.ids)
        .answered.astype(np.float64)
        for name in used
    }


def evidence_features(
    members: Mapping[str, Batch],
    weights: Mapping[str, float],
    summary: Literal["highest", "mean"],
) -> Features:
    """The highest or the mean score of each member's evidence, kind by kind.

    For neighbours that is how much the kernel is concentrated on few of them, for others how near
    the nearest texts are.

    Args:
        members: As in `agreement_features`.
        weights: As in `agreement_features`.
        summary: Of the scores of one kind.
    """
    features: dict[str, DoubleArray] = {}
    used = used_members(members, weights)
    for name in used:
        batch = members[name]
        own = dict(zip(batch.embeddings.ids, batch.evidence, strict=True))
        ordered = [own[image_id] for image_id in members[used[0]].embeddings.ids]
        for kind in sorted({piece.kind for pieces in ordered for piece in pieces}):
            features[f"{summary} {kind} {name}"] = _scores(ordered, kind, summary)
    return features


def used_members(members: Mapping[str, Batch], weights: Mapping[str, float]) -> list[str]:
    """The members that a blend in use runs."""
    return [name for name in members if weights[name] > 0]


def _length(shares: DoubleArray, rows: DoubleArray, answered: BoolArray) -> DoubleArray:
    """The length of the members' mean (N,), by the shares of those who answered; NaN of one."""
    behind = shares @ answered  # (N,)
    length = np.linalg.norm(np.einsum("m,mnd->nd", shares, rows), axis=1)
    several = answered.sum(axis=0) > 1
    result: DoubleArray = np.divide(length, behind, out=np.full(len(length), np.nan), where=several)
    return result


def _scores(
    evidence: Sequence[Sequence[Evidence]], kind: str, summary: Literal["highest", "mean"]
) -> DoubleArray:
    of_kind = [[piece.score for piece in pieces if piece.kind == kind] for pieces in evidence]
    take = np.max if summary == "highest" else np.mean
    return np.array([float(take(scores)) if scores else np.nan for scores in of_kind])
