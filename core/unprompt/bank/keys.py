"""A backbone's embeddings of a bank's prompts, computed once for all members that search by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from unprompt._files.cache import Cache
from unprompt._files.tensors import read_array
from unprompt.contracts import Runtime
from unprompt.types import FloatArray, PlainData


def cached_keys(
    texts: Sequence[str],
    encode: Callable[[Sequence[str]], FloatArray],
    backbone: Mapping[str, PlainData],
    runtime: Runtime,
) -> FloatArray:
    """The keys of prompts: read from the cache, or encoded.

    Two members that differ in other options than the backbone, or two runs, encode them once.

    Args:
        texts: N prompts.
        encode: The backbone's text tower: texts -> unit rows (n, C).
        backbone: Its `ClipTowers.identity`.
        runtime: A dry run keeps nothing: its towers are random.

    Returns:
        Unit rows, float32 of shape (N, C).

    Raises:
        OutputError: The cache cannot be written.
    """
    if runtime.dry_run:
        return encode(texts)

    def make(folder: Path) -> None:
        np.save(folder / "rows.npy", encode(texts), allow_pickle=False)

    key: PlainData = [dict(backbone), runtime.precision, list(texts)]
    rows: FloatArray = read_array(Cache.default().folder("keys", key, make) / "rows.npy")
    return rows
