"""The images of a training: those that can be read, with features, divided for validation."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from unprompt import TrainSet
from unprompt.train import Broken, BrokenSamples, features, validation_images
from unprompt_clip.training import TrainingOptions

if TYPE_CHECKING:
    import torch

    from unprompt_clip.regressor import Regressor

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Divided:
    """A train set of N images.

    Attributes:
        train: All of them.
        features: Of the tower as it comes, of shape (N, F), in the order of the records.
        is_held: For each image whether it is held back for validation, of shape (N,).
        fitted: The images that are fitted to.
        held: The others.
        broken: A sentence on images that cannot be read.
    """

    train: TrainSet
    features: npt.NDArray[np.float32]
    is_held: npt.NDArray[np.bool_]
    fitted: TrainSet
    held: TrainSet
    broken: str

    @classmethod
    def of(cls, member: Regressor, training: TrainingOptions, train: TrainSet) -> Divided:
        """Find out which images can be read, compute their features, and divide them.

        Raises:
            DataError: Too many cannot be read, or none can be held back.
        """
        ids = [record.image_id for record in train.records]
        broken: dict[str, str] = {}
        rows = features(
            lambda: member.tower,
            member.tower_identity(),
            train.images.select(ids),
            member.runtime,
            broken=broken,
        )
        counted = BrokenSamples(training.most_broken, len(ids))
        for line in counted.add(len(ids), [Broken(*item) for item in broken.items()]):
            log.warning("%s", line)
        whole = np.array([name not in broken for name in ids])
        train = _part(train, whole)
        held = validation_images(train, training.validation, training.seed)
        parts = _part(train, ~held), _part(train, held)
        return cls(train, rows[whole] if broken else rows, held, *parts, counted.summary())

    @property
    def held_targets(self) -> torch.Tensor:
        """Targets of the validation images."""
        import torch

        return torch.from_numpy(self.held.targets.rows)

    @property
    def prompts(self) -> list[int]:
        """The number of each fitted image's prompt."""
        numbers: dict[str, int] = {}
        return [
            numbers.setdefault(record.prompt_id, len(numbers)) for record in self.fitted.records
        ]

    @property
    def weights(self) -> list[float]:
        """How much each of the N images counts."""
        return [record.weight for record in self.train.records]

    @property
    def content(self) -> str:
        """A hash of all images, prompts and weights."""
        return digest(
            [
                (r.image_id, self.train.images.digest(r.image_id), r.prompt, r.weight)
                for r in self.train.records
            ]
        )


def digest(value: object) -> str:
    """SHA-256 of plain data."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _part(train: TrainSet, mask: npt.NDArray[np.bool_]) -> TrainSet:
    """Some of the images, in the order of the records."""
    records = tuple(r for r, is_in in zip(train.records, mask.tolist(), strict=True) if is_in)
    ids = [record.image_id for record in records]
    images, targets = train.images.select(ids), train.targets.select(ids)
    return replace(train, records=records, images=images, targets=targets)
