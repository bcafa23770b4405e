"""Collect streams of predictions by image id, and check that no image is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from unprompt._members.abstention import check_abstentions
from unprompt.contracts import Batch
from unprompt.embeddings import Embeddings
from unprompt.errors import PluginError, named
from unprompt.types import FloatArray


def collect(
    batches: Iterable[Batch], ids: Sequence[str], dim: int, *, reads: bool = False
) -> Batch:
    """Join a stream of batches into one, in the order of ``ids``; ``reads`` as the spec says it.

    Raises:
        PluginError: The batches do not hold exactly these images, each once, their rows do not
            have ``dim`` columns, their features are not of one width, or an image that the member
            abstains from has a prompt or evidence.
    """
    parts = list(batches)
    order = _order([name for part in parts for name in part.embeddings.ids], ids)
    _check_width([part.embeddings for part in parts], dim)
    rows: list[FloatArray] = [part.embeddings.rows for part in parts]
    stacked = np.concatenate(rows)[order] if rows else np.empty((0, dim), np.float32)
    prompts = [prompt for part in parts for prompt in part.prompts]
    evidence = [reasons for part in parts for reasons in part.evidence]
    batch = Batch(
        Embeddings(tuple(ids), stacked),
        tuple(prompts[i] for i in order),
        tuple(evidence[i] for i in order),
        _features(parts, order, ids),
    )
    check_abstentions(batch, reads=reads)
    return batch


def collect_variants(
    batches: Iterable[Sequence[Embeddings]], ids: Sequence[str], dim: int
) -> FloatArray:
    """Join a stream of V predictions per batch, in the order of ``ids``.

    Returns:
        float32 of shape (V, N, D).

    Raises:
        PluginError: The batches do not hold exactly these images, each once, or their rows do not
            have ``dim`` columns.
    """
    parts = [list(batch) for batch in batches]
    order = _order([name for part in parts for name in part[0].ids], ids)
    _check_width([variant for part in parts for variant in part], dim)
    stacked = np.concatenate(
        [np.stack([variant.rows for variant in part]) for part in parts], axis=1
    )
    ordered: FloatArray = np.ascontiguousarray(stacked[:, order])
    return ordered


def collect_embeddings(batches: Iterable[Embeddings], ids: Sequence[str]) -> FloatArray | None:
    """Join a stream of embeddings into rows (N, C), in the order of ``ids``; None of no batch.

    Raises:
        PluginError: The batches do not hold exactly these images, each once, or their rows are
            not of one width.
    """
    parts = list(batches)
    if not parts:
        return None
    order = _order([name for part in parts for name in part.ids], ids)
    _check_width(parts, parts[0].dim)
    stacked: FloatArray = np.concatenate([part.rows for part in parts])[order]
    return stacked


def _features(
    parts: Sequence[Batch], order: Sequence[int], ids: Sequence[str]
) -> Embeddings | None:
    """The batches' features, in the order of ``ids``; None where no batch has any."""
    given = [part.features for part in parts if part.features is not None]
    if not given:
        return None
    widths = sorted({features.dim for features in given})
    if len(given) != len(parts):
        raise PluginError(f"gave features in {len(given)} of {len(parts)} batches")
    if not widths[0]:
        raise PluginError("gave features of no numbers; None says that there are none")
    if len(widths) > 1:
        raise PluginError(f"gave features of {widths[0]} and of {widths[-1]} numbers")
    rows: FloatArray = np.concatenate([features.rows for features in given])[order]
    return Embeddings(tuple(ids), rows)


def _check_width(parts: Iterable[Embeddings], dim: int) -> None:
    """Raise PluginError where rows do not have ``dim`` columns."""
    for part in parts:
        if part.dim != dim:
            raise PluginError(f"predicted rows of {part.dim} numbers, not of {dim}")


def _order(predicted: Sequence[str], ids: Sequence[str]) -> list[int]:
    """The position of each of ``ids`` in ``predicted``."""
    missing, extra = sorted(set(ids) - set(predicted)), sorted(set(predicted) - set(ids))
    repeated = sorted(name for name, times in Counter(predicted).items() if times > 1)
    lists = {"missing": missing, "unexpected": extra, "repeated": repeated}
    problems = [f"{what} {named(names)}" for what, names in lists.items() if names]
    if problems:
        raise PluginError(f"did not predict each image once: {'; '.join(problems)}")
    position = {name: i for i, name in enumerate(predicted)}
    return [position[name] for name in ids]
