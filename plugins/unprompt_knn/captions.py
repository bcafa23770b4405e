"""Captions of images as parts of queries, and as neighbours."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np

from unprompt import DataError, Images, Need, Runtime, unit
from unprompt.towers import ClipTowers
from unprompt_blip.captioner import Captioner
from unprompt_knn.kernel import FloatArray
from unprompt_knn.near import Near
from unprompt_knn.queries import CaptionQueries

CODE = ("captioner", "caption_models", "sources")
"""The modules of ``unprompt_blip`` that write captions: cached results have to know of changes."""


@dataclass(frozen=True, eq=False, slots=True)
class Captions:
    """What is written of some of n images.

    Attributes:
        owners: Numbers of the m images that have a caption.
        texts: The m captions.
        keys: Their CLIP embeddings, as the bank's keys are: unit rows of shape (m, C).
        targets: Their rows in the target space, of shape (m, D).
    """

    owners: tuple[int, ...]
    texts: tuple[str, ...]
    keys: FloatArray
    targets: FloatArray

    def without(self, mean: FloatArray) -> Captions:
        """The same without the mean of the bank's keys (C,)."""
        return replace(self, keys=unit(self.keys - mean))

    def mixed(self, queries: FloatArray, part: float) -> FloatArray:
        """Queries (n, C) with captions as a part of them: unit rows."""
        owners, rows = list(self.owners), queries.copy()
        rows[owners] = unit((1 - part) * queries[owners] + part * self.keys)
        return rows

    def join(self, near: Near, queries: FloatArray) -> Near:
        """Neighbours of queries (n, C), with each image's caption as one more."""
        return near.joined(self.owners, queries, self.keys, self.targets, self.texts)


class CaptionWriter:
    """Writes captions and embeds them."""

    def __init__(self, options: CaptionQueries, runtime: Runtime) -> None:
        """Store both; the captioner is loaded when it first writes."""
        self._options, self._runtime = options, runtime
        self._captioner: Captioner | None = None
        self._written: dict[str, str] = {}

    @staticmethod
    def identity(options: CaptionQueries, runtime: Runtime) -> list[object]:
        """The captioner's content and code, for cache keys."""
        modules = [import_module(f"unprompt_blip.{name}") for name in CODE]
        code = b"".join(Path(str(module.__file__)).read_bytes() for module in modules)
        return [Captioner.identity(options.captioner, runtime), hashlib.sha256(code).hexdigest()]

    @staticmethod
    def needs(options: CaptionQueries) -> Sequence[Need]:
        """The captioner's files."""
        return Captioner.needs(options.captioner)

    @staticmethod
    def towers(options: CaptionQueries) -> Mapping[str, int]:
        """The captioner's number of parameters."""
        return {"captioner": Captioner.parameters(options.captioner)}

    def write(self, images: Images) -> None:
        """Write captions of images, for `of`; those of images seen before are kept."""
        unseen = [name for name in images.ids if images.digest(name) not in self._written]
        if not unseen:
            return
        if self._captioner is None:
            self._captioner = Captioner(self._options.captioner, self._runtime)
        captions = self._captioner.captions(images.select(unseen))
        self._written |= {images.digest(name): captions.get(name, "") for name in unseen}

    def of(self, images: Images, ids: Sequence[str], clip: ClipTowers) -> Captions:
        """The captions of some images that `write` was called with.

        Raises:
            DataError: The runtime has no text encoder.
        """
        encoder = self._runtime.text_encoder
        if encoder is None:
            raise DataError("`queries: captions` needs a text encoder, and the runtime has none")
        texts = [self._written[images.digest(name)] for name in ids]
        owners = tuple(i for i, text in enumerate(texts) if text)
        own = tuple(text for text in texts if text)
        if not own:
            return Captions((), (), np.empty((0, clip.dim), np.float32), encoder.encode([]))
        keys = clip.encode_tokens(clip.tokens(own))
        return Captions(owners, own, keys, encoder.encode(own))
