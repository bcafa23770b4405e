"""A backbone's embeddings of a bank's prompts, computed once for all members that search by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from unprompt._files.cache import Cache
from unprompt._files.tensors import read_array
from unprompt.contracts import Runtime
from unprompt.types import FloatArray, PlainData

PART = 8192
"""Prompts that are embedded and kept at a time: whoever stops halfway has the parts before."""

Encode = Callable[[Sequence[str]], FloatArray]
"""A backbone's text tower: texts -> unit rows, float32 of shape (n, C)."""


def cached_keys(
    texts: Sequence[str], encode: Encode, backbone: Mapping[str, PlainData], runtime: Runtime
) -> FloatArray:
    """The keys of prompts: read from the cache, or encoded.

    Two members that differ in other options than the backbone, or two runs, encode them once.

    Args:
        texts: N prompts.
        encode: The backbone's text tower.
        backbone: Its `ClipTowers.identity`.
        runtime: A dry run keeps nothing: its towers are random.

    Returns:
        Unit rows, float32 of shape (N, C).

    Raises:
        OutputError: The cache cannot be written.
    """
    rows, start = np.empty((0, 0), np.float32), 0
    for part, keys in cached_key_parts(texts, encode, backbone, runtime):
        if not start:
            rows = np.empty((len(texts), keys.shape[1]), np.float32)
        rows[start : start + len(part)] = keys
        start += len(part)
    return rows if start else encode(texts)


def cached_key_parts(
    texts: Sequence[str], encode: Encode, backbone: Mapping[str, PlainData], runtime: Runtime
) -> Iterator[tuple[Sequence[str], FloatArray]]:
    """As `cached_keys`, for a bank that may be larger than the memory: parts and their keys.

    Both share the cache: `PART` prompts are an entry.

    Yields:
        Some of the texts, in order, and their unit rows, float32 of shape (n, C).
    """
    for start in range(0, len(texts), PART):
        part = texts[start : start + PART]
        yield part, _cached(part, encode, backbone, runtime)


def _cached(
    texts: Sequence[str], encode: Encode, backbone: Mapping[str, PlainData], runtime: Runtime
) -> FloatArray:
    """The keys of one part."""
    if runtime.dry_run:
        return encode(texts)

    def make(folder: Path) -> None:
        np.save(folder / "rows.npy", encode(texts), allow_pickle=False)

    key: PlainData = [dict(backbone), runtime.precision, list(texts)]
    rows: FloatArray = read_array(Cache.default().folder("keys", key, make) / "rows.npy")
    return rows
