"""An image tower with a linear head; families differ in their tower."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from unprompt import Batch, DataError, Embeddings, Images, Need, Predictor, Runtime, TrainSet, unit
from unprompt.bank import PromptBank
from unprompt.towers import ImageTower, TimmTower, VisionTower, averaged, pixel_batches
from unprompt_clip.head import Head
from unprompt_clip.options import RegressorOptions

OWNER = "image tower"


class Regressor(Predictor):
    """Tower -> pooled features -> linear head -> unit rows, averaged over views.

    The head is the one in the checkpoint, where there is one; otherwise it is fitted to the train
    split.
    """

    options: RegressorOptions
    family: ClassVar[type[ImageTower[Any]]]

    def __init__(self, options: RegressorOptions, runtime: Runtime) -> None:
        """Store both."""
        super().__init__(options, runtime)
        self._tower: ImageTower[Any] | None = None
        self._head: Head | None = None
        self._bank: PromptBank | None = None

    def identity(self) -> Mapping[str, Any]:
        """The tower's."""
        return self.family.identity(self.options.backbone, self.runtime, OWNER)

    def needs(self) -> Sequence[Need]:
        """The tower's files."""
        return self.family.needs(self.options.backbone)

    def towers(self) -> Mapping[str, int]:
        """The image tower."""
        return {"image": self.family.parameters(self.options.backbone, OWNER)}

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        """Find the head, and keep the train prompts, to find words for predictions.

        Raises:
            DataError: The checkpoint has no head, and there are fewer than two images to learn
                one from; or its head is not for this text encoder.
        """
        tower = self.tower
        if tower.head is not None:
            head = Head.of(*tower.head)
            if head.bias.shape != (train.text_encoder.dim,):
                raise DataError(
                    f"the head in {self.options.backbone.describe()} predicts {len(head.bias)} "
                    f"numbers, the text encoder has {train.text_encoder.dim}"
                )
        else:
            head = self._fit(tower, train)
        head.save(artifact)
        first = {record.prompt: record.image_id for record in train.records}
        rows = train.targets.select(list(first.values())).rows
        PromptBank.of(list(first), rows).save(artifact)

    def load(self, artifact: Path) -> None:
        """Read tower, head and prompts.

        Raises:
            DataError: A file of the artifact is damaged, or of another tower or encoder.
        """
        head, bank = Head.read(artifact), PromptBank.read(artifact)
        encoder = self.runtime.text_encoder
        dim = encoder.dim if encoder is not None else None
        bank.check(artifact, target_dim=dim, key_dim=None)
        head.check(artifact, features=self.tower.dim, target_dim=dim)
        self._head, self._bank = head, bank

    def check_prepared(self, prepared: Any) -> None:
        """Refuse other options, which the head depends on, but for the number of prompts shown.

        Raises:
            ConfigError: Another option differs.
        """
        shown = {"evidence": self.options.evidence}
        super().check_prepared(prepared.model_copy(update=shown))

    def predict(self, images: Images) -> Iterator[Batch]:
        """Unit rows with the nearest train prompts, where there are any.

        Features are the tower's, averaged over views.
        """
        head, bank, tower = self._head, self._bank, self.tower
        assert head is not None and bank is not None  # load() comes first, by contract

        seen: list[npt.NDArray[np.float32]] = []

        def encode(pixels: Any) -> npt.NDArray[np.float32]:
            features = tower.features(pixels)
            seen.append(unit(features))
            return head.predict(features)

        batches = pixel_batches(images, tower.preprocess, self.runtime, what="tower")
        with closing(batches):
            for ids, pixels in batches:
                seen.clear()
                embeddings = averaged(encode, pixels, self.options.views)
                evidence = tuple(bank.nearest(embeddings, self.options.evidence))
                best = tuple(near[0].text if near else None for near in evidence)
                features = Embeddings(ids, unit(np.mean(seen, axis=0)))
                yield Batch(Embeddings(ids, embeddings), best, evidence, features)

    def close(self) -> None:
        """Drop tower, head and prompts."""
        self._tower = self._head = self._bank = None

    def _fit(self, tower: ImageTower[Any], train: TrainSet) -> Head:
        """Ridge regression from the images as they are; views are for prediction."""
        if len(train) < 2:
            raise DataError(
                "the head has nothing to learn from: use the ensemble through an experiment's "
                "run, or a checkpoint with a head"
            )
        batches = pixel_batches(train.images, tower.preprocess, self.runtime, what="fit the head")
        with closing(batches):
            features = np.concatenate([tower.features(pixels) for _, pixels in batches])
        targets = train.targets.align(train.images.ids).rows
        return Head.fit(features, targets, self.options.penalties)

    @property
    def tower(self) -> ImageTower[Any]:
        """The image tower, loaded when first used."""
        if self._tower is None:
            self._tower = self.family(self.options.backbone, self.runtime, OWNER)
        return self._tower


class ClipRegressor(Regressor):
    """A CLIP vision tower and its ``pooler_output``.

    Source: the CLIP-L14 member of the 68th-place solution, plugins/kaggle-68th.md; there the head
    was trained together with the last layers.
    """

    family = VisionTower


class TimmRegressor(Regressor):
    """A timm tower without its classifier.

    Source: the CLIP-L16-384 member of the 68th-place solution, plugins/kaggle-68th.md.
    """

    family = TimmTower
