"""A second backbone that looks again at the neighbours that the first one has found."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from unprompt import DataError, Images, Need, Runtime, unit
from unprompt.artifacts import read_tensors
from unprompt.bank import Bank, BankTexts, cached_keys
from unprompt.towers import ClipBackbone, ClipQueries, ClipTowers, Views
from unprompt_knn.kernel import FloatArray, Numbers
from unprompt_knn.near import Near
from unprompt_knn.options import Rerank

OWNER = "kNN rerank backbone"
FILE = "rerank.safetensors"


class SecondBackbone:
    """Both towers of another CLIP, with its embeddings of the bank's prompts."""

    def __init__(self, options: Rerank, views: Views, runtime: Runtime) -> None:
        """Store all; towers are loaded when they are first used."""
        self._options, self._runtime = options, runtime
        self._backbone = ClipBackbone(options.backbone, views, runtime, OWNER)
        self._keys: FloatArray | None = None
        self._mean: FloatArray | None = None

    @staticmethod
    def identity(options: Rerank, runtime: Runtime) -> dict[str, object]:
        """The content of the towers."""
        return dict(ClipTowers.identity(options.backbone, runtime, OWNER))

    @staticmethod
    def needs(options: Rerank) -> Sequence[Need]:
        """Files of the towers."""
        return ClipTowers.needs(options.backbone)

    @staticmethod
    def towers(options: Rerank) -> dict[str, int]:
        """Image and text tower together."""
        return {"CLIP of rerank": ClipTowers.parameters(options.backbone, OWNER)}

    def embed(self, prompts: BankTexts) -> None:
        """Embed the bank's prompts, each once."""
        numbers = {text: number for number, text in enumerate(dict.fromkeys(prompts))}
        rows = cached_keys(
            list(numbers),
            partial(self.clip.texts, what="encode the bank for rerank"),
            ClipTowers.identity(self._options.backbone, self._runtime, OWNER),
            self._runtime,
        )
        self._keys = rows[[numbers[text] for text in prompts]]

    def center(self, images: Images) -> None:
        """Measure the mean of images' embeddings, which is then taken out."""
        rows = [rows for _, rows in self.queries.batches(images, what="measure the mean")]
        self._mean = np.concatenate(rows).mean(axis=0)

    def save(self, folder: Path) -> None:
        """Write keys and mean."""
        from safetensors.numpy import save_file

        mean = {} if self._mean is None else {"queries": self._mean}
        save_file({"keys": self.keys, **mean}, folder / FILE)

    def read(self, folder: Path, bank: Bank, *, centred: bool) -> None:
        """Read what `save` wrote.

        Raises:
            DataError: The file is missing or damaged, of another bank or another tower.
        """
        rows = read_tensors(
            folder / FILE, {"keys": ("B", "C"), **({"queries": ("C",)} if centred else {})}
        )
        keys = rows["keys"].astype(np.float32, copy=False)
        if keys.shape != (len(bank), self.clip.dim):
            raise DataError(
                f"{folder / FILE}: its keys are of shape {keys.shape}, not of "
                f"{(len(bank), self.clip.dim)}: it was made with another bank or tower"
            )
        self._keys = keys
        self._mean = rows["queries"].astype(np.float32, copy=False) if centred else None

    def seen(self, images: Images, *, what: str) -> Generator[FloatArray | None]:
        """CLIP's embeddings of images (n, C), batch by batch."""
        for _, rows in self.queries.batches(images, what=f"{what}: rerank"):
            yield rows

    def rescored(
        self, near: Near, used: Numbers, queries: FloatArray, seen: FloatArray, rerank: Rerank
    ) -> Near:
        """Neighbours with new cosines, those left out that are too far from the image.

        Args:
            near: By the first backbone.
            used: The bank's row of each of its U prompts.
            queries: The first backbone's, of shape (n, C).
            seen: The second one's embeddings of the images, of shape (n, C2).
            rerank: With `mix` and `threshold`.
        """
        captions = near.texts[len(used) :]
        keys = self.keys[used]
        if captions:
            keys = np.concatenate([keys, self.clip.encode_tokens(self.clip.tokens(captions))])
        plain = np.take_along_axis(seen @ keys.T, near.rows, axis=1)  # (n, K), CLIP's own
        if rerank.threshold is not None:
            plain = np.where(np.isfinite(near.cosines), plain, -np.inf)
            far = plain <= rerank.threshold
            far[np.arange(len(far)), plain.argmax(axis=1)] = False  # the best one stays
            near = replace(near, cosines=np.where(far, np.float32(-np.inf), near.cosines))
        if self._mean is not None:
            keys, seen = unit(keys - self._mean_key), unit(seen - self._mean)
        # One table of both, whose products are the mixed cosines: ridge needs those of keys, too.
        both, joint = (
            _side_by_side(near.keys, keys, rerank.mix),
            _side_by_side(queries, seen, rerank.mix),
        )
        mixed = np.take_along_axis(joint @ both.T, near.rows, axis=1)
        mixed = np.where(np.isfinite(near.cosines), mixed, np.float32(-np.inf))
        return replace(near, keys=both).by_cosine(mixed)

    def close(self) -> None:
        """Drop towers and keys."""
        self._backbone.close()
        self._keys = None

    @cached_property
    def _mean_key(self) -> FloatArray:
        mean: FloatArray = self.keys.mean(axis=0)
        return mean

    @property
    def keys(self) -> FloatArray:
        """The bank's prompts by this CLIP, as it gives them: unit rows of shape (B, C2)."""
        assert self._keys is not None  # embed() or read() comes first
        return self._keys

    @property
    def clip(self) -> ClipTowers:
        """Both CLIP towers."""
        return self._backbone.clip

    @property
    def queries(self) -> ClipQueries:
        """CLIP's embeddings of images."""
        return self._backbone.queries


def _side_by_side(first: FloatArray, second: FloatArray, mix: float) -> FloatArray:
    """Unit rows (n, C) and (n, C2) as unit rows (n, C + C2), whose products are mixed cosines."""
    if mix in (0.0, 1.0):
        return second if mix else first
    parts = np.float32(np.sqrt(1 - mix)) * first, np.float32(np.sqrt(mix)) * second
    rows: FloatArray = np.hstack(parts)
    return rows
