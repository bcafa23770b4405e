"""A CLIP vision tower with a linear head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unprompt import Batch, DataError, Embeddings, Images, Predictor, Runtime, TrainSet
from unprompt.backbones import VisionTower, identity, pixel_batches
from unprompt.bank import PromptBank
from unprompt_clip.head import Head
from unprompt_clip.l14 import L14Options

OWNER = "CLIP regressor backbone"


class ClipRegressor(Predictor):
    """Vision tower -> ``pooler_output`` -> linear head -> unit rows.

    Source: the seed solution's CLIP-L14 member, DESIGN section 7 item 2; there the head was
    trained together with the last layers, here it is fitted to the train split.
    """

    options: L14Options

    def __init__(self, options: L14Options, runtime: Runtime) -> None:
        """Store both."""
        super().__init__(options, runtime)
        self._tower: VisionTower | None = None
        self._head: Head | None = None
        self._bank: PromptBank | None = None

    def identity(self) -> Mapping[str, Any]:
        """The backbone's."""
        return identity(self.options.backbone, OWNER)

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        """Fit the head and keep the train prompts, to find words for predictions.

        Raises:
            DataError: There are fewer than two pictures to learn from.
        """
        if len(train) < 2:
            raise DataError(
                "the head has nothing to learn from: use the ensemble through an experiment's run"
            )
        tower = self._load_tower()
        found = pixel_batches(train.images, tower.preprocess, self.runtime, what="fit the head")
        parts = [(ids, tower.features(pixels)) for ids, pixels in found]
        ids = [name for names, _ in parts for name in names]
        features = np.concatenate([rows for _, rows in parts])
        targets = train.targets.align(ids).rows
        Head.fit(features, targets, self.options.penalties).save(artifact)
        prompts = {record.image_id: record.prompt for record in train.records}
        first = {prompts[name]: row for name, row in zip(ids, targets, strict=True)}
        PromptBank.of(list(first), np.stack(list(first.values()))).save(artifact)

    def load(self, artifact: Path) -> None:
        """Read tower, head and prompts."""
        self._head, self._bank = Head.read(artifact), PromptBank.read(artifact)
        self._load_tower()

    def predict(self, images: Images) -> Iterator[Batch]:
        """Unit rows with the nearest train prompts."""
        head, bank, tower = self._head, self._bank, self._load_tower()
        assert head is not None and bank is not None  # load() comes first, by contract
        for ids, pixels in pixel_batches(images, tower.preprocess, self.runtime, what="CLIP"):
            embeddings = head.predict(tower.features(pixels))
            evidence = bank.nearest(embeddings, self.options.evidence)
            best = tuple(near[0].text for near in evidence)
            yield Batch(Embeddings(ids, embeddings), best, tuple(evidence))

    def close(self) -> None:
        """Drop tower, head and prompts."""
        self._tower = self._head = self._bank = None

    def _load_tower(self) -> VisionTower:
        if self._tower is None:
            self._tower = VisionTower(self.options.backbone, self.runtime, OWNER)
        return self._tower
