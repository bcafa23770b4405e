"""A text encoder whose results are cached on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unprompt._files.cache import Cache
from unprompt._files.tensors import read_array
from unprompt._registry.boundary import naming
from unprompt.contracts import TextEncoder
from unprompt.embeddings import NORM_TOLERANCE
from unprompt.errors import PluginError
from unprompt.types import FloatArray, PlainData

KNOWN = 200_000
"""Texts whose rows a process keeps, the latest: 300 MB at 384 dimensions."""


def key_of(encoder: TextEncoder) -> PlainData:
    """What the key of a result that an encoder has part in says of it."""
    return encoder.key if isinstance(encoder, CachedTextEncoder) else encoder.identity


class CachedTextEncoder(TextEncoder):
    """Encodes each text once per process, and each list of texts once per cache.

    A process that has seen more than `KNOWN` texts encodes the older ones again.
    """

    def __init__(self, encoder: TextEncoder, cache: Cache, code: str = "") -> None:
        """Store all.

        Args:
            encoder: Whose results are cached.
            cache: Where.
            code: A hash of the encoder's source, so that edited code does not meet its old rows.
        """
        self._encoder = encoder
        self._cache = cache
        self._code = code
        self._identity: str | None = None
        self._known: dict[str, FloatArray] = {}
        self._fast: CachedTextEncoder | None = None
        self._asked = False

    @property
    def identity(self) -> str:
        """The identity of the wrapped encoder.

        Raises:
            PluginError: It is another one than before.
        """
        identity = self._encoder.identity
        if self._identity not in (None, identity):
            with naming(self._encoder, "identity"):
                raise PluginError(f"gave {identity!r:.60} as identity, and another one before")
        self._identity = identity
        return identity

    @property
    def key(self) -> PlainData:
        """All that rows depend on, except the texts."""
        return [self.identity, self._code] if self._code else self.identity

    @property
    def dim(self) -> int:
        """D of the wrapped encoder."""
        return self._encoder.dim

    def fast(self) -> TextEncoder | None:
        """The wrapped encoder's, cached under its own identity; the same one with each call.

        Raises:
            PluginError: It is not of the same space, or has the exact encoder's identity.
        """
        if not self._asked:
            self._asked = True
            fast = self._encoder.fast()
            if fast is not None:
                with naming(self._encoder, "fast"):
                    self._check_fast(fast)
                self._fast = CachedTextEncoder(fast, self._cache, self._code)
        return self._fast

    def _check_fast(self, fast: TextEncoder) -> None:
        if fast.identity == self.identity:
            raise PluginError(f"gave an encoder of the exact one's identity {fast.identity!r:.60}")
        if fast.dim != self.dim:
            raise PluginError(f"gave an encoder of {fast.dim} dimensions, not {self.dim}")

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Unit rows, float32 of shape (len(texts), D); each distinct text is encoded once.

        Raises:
            PluginError: The encoder gave another shape, or values that are not finite.
        """
        distinct = list(dict.fromkeys(texts))
        if not all(text in self._known for text in distinct):
            self._known.update(zip(distinct, self._rows(distinct), strict=True))
        if not texts:
            return np.empty((0, self.dim), np.float32)
        rows = np.stack([self._known[text] for text in texts])
        for text in list(self._known)[: max(len(self._known) - KNOWN, 0)]:
            del self._known[text]
        return rows

    def _rows(self, texts: list[str]) -> FloatArray:
        """The rows of distinct texts, read from the cache or encoded.

        The cache key is the whole list, not only the texts that this process does not know yet:
        these depend on what the process did before, and another run would not find them.
        """

        def make(folder: Path) -> None:
            new = [text for text in texts if text not in self._known]
            encoded = self._encoder.encode(new)
            with naming(self._encoder, "encode"):
                self._check(encoded, len(new))
            fresh = dict(zip(new, encoded, strict=True))
            rows = np.stack([fresh[t] if t in fresh else self._known[t] for t in texts])
            np.save(folder / "rows.npy", rows, allow_pickle=False)

        folder = self._cache.folder("texts", [self.key, texts], make)
        rows: FloatArray = read_array(folder / "rows.npy")
        return rows

    def _check(self, rows: FloatArray, count: int) -> None:
        shape = np.shape(rows)
        if shape != (count, self.dim) or not np.isfinite(rows).all():
            raise PluginError(
                f"text encoder {self.identity}: gave {shape}, "
                f"not finite rows of shape {(count, self.dim)}"
            )
        if (np.abs(np.linalg.norm(rows, axis=1) - 1) > NORM_TOLERANCE).any():
            raise PluginError(f"text encoder {self.identity}: gave rows that are not unit length")
