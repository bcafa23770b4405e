"""A whole ensemble on new images: members one after another, blended, with readable prompts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from unprompt._data.memory import MemoryImages
from unprompt._members.context import Context
from unprompt._members.member import LiveMember
from unprompt._registry.loading import Ensemble
from unprompt._scoring.blend import blend
from unprompt.contracts import Batch, Evidence, Images, TextEncoder, TrainSet
from unprompt.embeddings import Embeddings
from unprompt.types import FloatArray


def predict_ensemble(
    ensemble: Ensemble, images: Images, train: TrainSet, context: Context, *, prompts: bool
) -> Batch:
    """The blend's predictions for new images.

    Args:
        ensemble: Members with their weights; those of weight 0 are not run.
        images: N images.
        train: What members without an artifact may learn from.
        context: Registry, runtime and cache.
        prompts: Whether to look for readable prompts, which costs text encoding.
    """
    members = [member for member in ensemble.members if member.weight > 0]
    batches = []
    with ExitStack() as stack:
        lives = [LiveMember(member, context, train.text_encoder) for member in members]
        for live in lives:  # what is missing is said before any image is opened
            stack.callback(live.close)
            live.check()
        for live in lives:  # one after another, so that memory holds one member's towers
            batches.append(live.predict(live.prepare(train), images))
            live.close()
    weights = [member.weight for member in members]
    return combine(batches, weights, train.text_encoder if prompts else None)


def empty_train_set(encoder: TextEncoder) -> TrainSet:
    """For an ensemble without an experiment: its members bring an artifact or need no training."""
    no_rows = Embeddings((), np.empty((0, encoder.dim), np.float32))
    return TrainSet((), Images((), MemoryImages({})), no_rows, encoder)


def combine(
    batches: Sequence[Batch], weights: Sequence[float], encoder: TextEncoder | None
) -> Batch:
    """Members' predictions for the same images as one.

    Args:
        batches: One per member, images in the same order.
        weights: Of the blend; a member of weight 0 gives no evidence.
        encoder: The target space, to choose prompts in; None: no prompts.

    Returns:
        The blended rows; each image's evidence, member by member; and of all its texts the one
        whose embedding is nearest to the blend.
    """
    blended = blend([batch.embeddings for batch in batches], weights)
    used = [batch for batch, weight in zip(batches, weights, strict=True) if weight > 0]
    evidence: list[tuple[Evidence, ...]] = []
    texts: list[list[str]] = []
    for i in range(len(blended)):
        evidence.append(tuple(piece for batch in used for piece in batch.evidence[i]))
        own = [prompt for batch in used if (prompt := batch.prompts[i])]
        texts.append(list(dict.fromkeys(own + [piece.text for piece in evidence[-1]])))
    none: tuple[str | None, ...] = (None,) * len(blended)
    prompts = _nearest_texts(blended.rows, texts, encoder) if encoder else none
    return Batch(blended, prompts, tuple(evidence))


def _nearest_texts(
    rows: FloatArray, candidates: Sequence[Sequence[str]], encoder: TextEncoder
) -> tuple[str | None, ...]:
    """For each row the candidate whose embedding is nearest; None where there is none.

    Args:
        rows: Unit rows of shape (N, D).
        candidates: N lists of texts.
        encoder: The target space.
    """
    encoded = encoder.encode([text for texts in candidates for text in texts])
    nearest: list[str | None] = []
    start = 0
    for row, texts in zip(rows, candidates, strict=True):
        cosines = encoded[start : start + len(texts)] @ row
        nearest.append(texts[int(cosines.argmax())] if texts else None)
        start += len(texts)
    return tuple(nearest)
