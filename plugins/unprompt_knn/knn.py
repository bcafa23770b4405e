"""The kNN regressor that every ``knn-*`` family shares; families differ in their backbone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unprompt import Batch, Embeddings, Evidence, Images, Predictor, Runtime, TrainSet, unit
from unprompt.backbones import ClipTowers, identity, pixel_batches
from unprompt.bank import PromptBank
from unprompt_knn.kernel import weights
from unprompt_knn.options import KnnOptions

OWNER = "kNN backbone"


class Knn(Predictor):
    """CLIP image embedding -> K nearest bank prompts by CLIP text embedding -> weighted mean.

    Source: the seed solution's kNN regression, DESIGN section 7 item 1.
    """

    options: KnnOptions

    def __init__(self, options: KnnOptions, runtime: Runtime) -> None:
        """Store both."""
        super().__init__(options, runtime)
        self._towers: ClipTowers | None = None
        self._bank: PromptBank | None = None

    def identity(self) -> Mapping[str, Any]:
        """The backbone's and the bank table's content."""
        return {**identity(self.options.backbone, OWNER), **self.options.bank.identity()}

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        """Embed the bank's prompts with the CLIP text tower and the text encoder.

        Raises:
            DataError: There are no prompts.
        """
        prompts = self.options.bank.texts(train)
        keys = self._load_towers().texts(prompts)
        PromptBank.of(prompts, train.text_encoder.encode(prompts), keys).save(artifact)

    def load(self, artifact: Path) -> None:
        """Read the bank and the towers."""
        self._bank = PromptBank.read(artifact)
        self._load_towers()

    def predict(self, images: Images) -> Iterator[Batch]:
        """Unit rows, the best neighbour's prompt, and the neighbours with their shares."""
        towers = self._load_towers()
        for ids, pixels in pixel_batches(images, towers.preprocess, self.runtime, what="kNN"):
            yield self._batch(ids, towers.images(pixels))

    def close(self) -> None:
        """Drop towers and bank."""
        self._towers = self._bank = None

    def _batch(self, ids: tuple[str, ...], queries: Any) -> Batch:
        bank = self._bank
        assert bank is not None  # load() comes first, by contract
        cosines, rows = bank.search_keys(queries, self.options.neighbours)  # (n, K)
        shares = weights(cosines, self.options.kernel)  # (n, K)
        summed = np.einsum("nk,nkd->nd", shares, bank.targets[rows])  # (n, D)
        embeddings = unit(summed)
        evidence = tuple(
            self._evidence(bank, numbers, line) for numbers, line in zip(rows, shares, strict=True)
        )
        best = tuple(near[0].text for near in bank.nearest(embeddings, 1))
        return Batch(Embeddings(ids, embeddings), best, evidence)

    def _evidence(self, bank: PromptBank, rows: Any, shares: Any) -> tuple[Evidence, ...]:
        first = zip(rows[: self.options.evidence], shares, strict=False)
        return tuple(Evidence(bank.prompts[row], float(w), "neighbour") for row, w in first)

    def _load_towers(self) -> ClipTowers:
        if self._towers is None:
            self._towers = ClipTowers(self.options.backbone, self.runtime, OWNER)
        return self._towers
