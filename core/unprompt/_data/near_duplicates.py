"""Rows with a high cosine, found tile by tile: memory does not grow with the number of pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from unprompt.types import FloatArray

Labels = npt.NDArray[np.int64]
_TILE = 1024
"""Rows of a tile: all pairs of one, linked, take 50 MB."""
_ROUNDING = 1e-6
"""Links reach this far below the threshold, so that no rounding puts a linked pair on both sides
of a split, where the leak would count it."""


def near_duplicate_groups(rows: FloatArray, cosine: float) -> Labels:
    """Groups of rows that are linked, directly or through others, by a high cosine.

    Args:
        rows: Unit rows of shape (N, D).
        cosine: Two rows whose cosine is at least this are linked.

    Returns:
        The number of each row's connected component, of shape (N,), in order of first rows.
    """
    distinct, number = _distinct(rows)
    labels: Labels = np.arange(len(distinct))
    for first, second, cosines in _tiles(distinct, distinct, upper=True):
        ours, theirs = labels[first], labels[second]
        linked = (cosines >= cosine - _ROUNDING) & (ours[:, None] != theirs)
        if linked.any():
            i, j = np.nonzero(linked)
            labels = _merged(labels, ours[i], theirs[j])
    return in_order(labels[number])


def joined_groups(*labels: npt.ArrayLike) -> Labels:
    """Groups of what shares a label in any of the given lists, directly or through others.

    Args:
        labels: Lists of N labels each.

    Returns:
        The number of each one's group, of shape (N,), in order of first ones.
    """
    joined = in_order(labels[0])
    for more in labels[1:]:
        other = in_order(more)
        first = np.full(other.max(initial=-1) + 1, -1, np.int64)
        first[other[::-1]] = joined[::-1]  # of each label the group of its first one
        joined = _merged(joined, joined, first[other])
    return in_order(joined)


def nearest_cosines(rows: FloatArray, others: FloatArray) -> FloatArray:
    """The highest cosine of each of ``others`` with any of ``rows``.

    Args:
        rows: Unit rows of shape (N, D), N > 0.
        others: Unit rows of shape (n, D).

    Returns:
        float32 of shape (n,).
    """
    nearest = np.full(len(others), -1.0, np.float32)
    for first, _, cosines in _tiles(others, _distinct(rows)[0]):
        nearest[first] = np.maximum(nearest[first], cosines.max(axis=1))
    return nearest


def in_order(labels: npt.ArrayLike) -> Labels:
    """Labels as numbers, in order of first ones."""
    _, first, number = np.unique(np.asarray(labels), return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    ordered: Labels = rank[number]
    return ordered


def _distinct(rows: FloatArray) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Each row once, in order of first ones, and the number of each row among them."""
    whole = np.ascontiguousarray(rows)
    keys = whole.view(np.dtype((np.void, whole.dtype.itemsize * whole.shape[1])))[:, 0]
    number = in_order(keys) if len(keys) else np.zeros(0, np.int64)
    first = np.unique(number, return_index=True)[1]
    return whole[first], number


def _tiles(
    rows: FloatArray, others: FloatArray, *, upper: bool = False
) -> Iterator[tuple[slice, slice, FloatArray]]:
    """Cosines, some rows with some others; ``upper``: without tiles below the diagonal."""
    for i in range(0, len(rows), _TILE):
        for j in range(i if upper else 0, len(others), _TILE):
            first, second = slice(i, i + _TILE), slice(j, j + _TILE)
            yield first, second, rows[first] @ others[second].T


def _merged(labels: Labels, ones: Labels, others: Labels) -> Labels:
    """Labels (N,) after each of ``ones`` was made equal to the one of ``others`` beside it."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names, numbers = np.unique(np.concatenate([ones, others]), return_inverse=True)
    sources, targets = numbers[: len(ones)], numbers[len(ones) :]
    links = coo_array((np.ones(len(ones), bool), (sources, targets)), shape=(len(names),) * 2)
    component = connected_components(links, directed=False)[1]
    least = np.full(component.max(initial=-1) + 1, labels.max(initial=0) + 1, np.int64)
    np.minimum.at(least, component, names)  # a component takes its least name
    renamed = np.arange(labels.max(initial=-1) + 1)
    renamed[names] = least[component]
    merged: Labels = renamed[labels]
    return merged
