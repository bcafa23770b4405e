"""An image tower with a linear head; families differ in their tower."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from unprompt import Batch, DataError, Embeddings, Images, Need, Predictor, Runtime, TrainSet, unit
from unprompt.artifacts import read_tensors
from unprompt.bank import PromptBank
from unprompt.towers import ImageTower, TimmTower, VisionTower, averaged, forward_batches
from unprompt.train import (
    CARD,
    FOLDER,
    FoldedHead,
    Loss,
    features,
    fit_probe,
    teacher_identity,
    teacher_needs,
)
from unprompt_clip.card import card_of
from unprompt_clip.options import RegressorOptions
from unprompt_clip.training import TrainingOptions
from unprompt_clip.tuning import Tuning, dry_head

FloatArray = npt.NDArray[np.float32]

OWNER = "image tower"
FIT = "fit the head"
TOWER_FILE = "tower.safetensors"
"""What training has changed of the tower's parameters."""
NOTHING = (
    "the head has nothing to learn from: use the ensemble through an experiment's run, or a "
    "checkpoint with a head"
)


class Regressor(Predictor):
    """Tower -> pooled features -> head -> unit rows, averaged over views.

    The head is the one in the checkpoint, where there is one; otherwise it is fitted to the train
    split. With `training` a head is fitted in any case, and the tower with it.
    """

    options: RegressorOptions
    family: ClassVar[type[ImageTower[Any]]]

    def __init__(self, options: RegressorOptions, runtime: Runtime) -> None:
        """Store both."""
        super().__init__(options, runtime)
        self._tower: ImageTower[Any] | None = None
        self._head: FoldedHead | None = None
        self._bank: PromptBank | None = None

    def identity(self) -> Mapping[str, Any]:
        """The tower's, and a teacher's predictions."""
        return {**self.tower_identity(), **teacher_identity(self._losses)}

    def tower_identity(self) -> Mapping[str, Any]:
        """What the tower is before it is trained, by content."""
        return self.family.identity(self.options.backbone, self.runtime, OWNER)

    def needs(self) -> Sequence[Need]:
        """The files of the tower and of teachers."""
        return [*self.family.needs(self.options.backbone), *teacher_needs(self._losses)]

    def towers(self) -> Mapping[str, int]:
        """The image tower."""
        return {"image": self.family.parameters(self.options.backbone, OWNER)}

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        """Find or fit the head, train the tower where that is asked for, and keep the prompts.

        The train prompts are there to find words for predictions.

        Raises:
            DataError: There are fewer than two images to learn from; or the checkpoint's head is
                not for this text encoder.
            UnpromptError: See `Tuning`.
        """
        training = self.options.training
        if training is None or self.runtime.dry_run:
            self._head_for(train).save(artifact)
        else:
            self._tune(training, train, artifact)
        first = {record.prompt: record.image_id for record in train.records}
        rows = train.targets.select(list(first.values())).rows
        PromptBank.of(list(first), rows).save(artifact)

    def load(self, artifact: Path) -> None:
        """Read tower, what has changed of it, head and prompts.

        Raises:
            DataError: A file of the artifact is damaged, or of another tower or encoder.
        """
        head, bank = FoldedHead.read(artifact), PromptBank.read(artifact)
        encoder = self.runtime.text_encoder
        dim = encoder.dim if encoder is not None else None
        bank.check(artifact, target_dim=dim, key_dim=None)
        head.check(artifact, features=self.tower.dim, target_dim=dim)
        training = self.options.training
        if training is not None and training.epochs and not self.runtime.dry_run:
            self._fill_tower(artifact / TOWER_FILE)
        self._head, self._bank = head, bank

    def check_prepared(self, prepared: Any) -> None:
        """Refuse other options, which head and tower depend on.

        Free are the number of prompts shown, and what changes no training's result.

        Raises:
            ConfigError: Another option differs.
        """
        free: dict[str, object] = {"evidence": self.options.evidence}
        own, theirs = self.options.training, prepared.training
        if own is not None and theirs is not None and own.comparable() == theirs.comparable():
            free["training"] = own
        super().check_prepared(prepared.model_copy(update=free))

    def predict(self, images: Images) -> Iterator[Batch]:
        """Unit rows with the nearest train prompts, where there are any.

        Features are the tower's, averaged over views.
        """
        head, bank, tower = self._head, self._bank, self.tower
        assert head is not None and bank is not None  # load() comes first, by contract

        def encode(pixels: Any) -> tuple[FloatArray, FloatArray]:
            seen: list[FloatArray] = []

            def view(pixels: Any) -> FloatArray:
                features = tower.features(pixels)
                seen.append(unit(features))
                return head.predict(features)

            embeddings = averaged(view, pixels, self.options.views)
            return embeddings, unit(np.mean(seen, axis=0))

        batches = forward_batches(
            images, tower.preprocess, encode, self.runtime, tower.size, what="tower"
        )
        with closing(batches):
            for ids, (embeddings, features) in batches:
                evidence = tuple(bank.nearest(embeddings, self.options.evidence))
                best = tuple(near[0].text if near else None for near in evidence)
                yield Batch(Embeddings(ids, embeddings), best, evidence, Embeddings(ids, features))

    def close(self) -> None:
        """Drop tower, head and prompts."""
        self._tower = self._head = self._bank = None

    def forget_tower(self) -> None:
        """Drop the tower: the next use loads it as it comes."""
        self._tower = None

    @property
    def tower(self) -> ImageTower[Any]:
        """The image tower, loaded when first used."""
        if self._tower is None:
            self._tower = self.family(self.options.backbone, self.runtime, OWNER)
        return self._tower

    @property
    def _losses(self) -> Loss:
        return () if self.options.training is None else self.options.training.loss

    def _head_for(self, train: TrainSet) -> FoldedHead:
        """The checkpoint's head, or a linear one, fitted to the images as they are.

        Views are for prediction. In a dry run a head that would be trained has random parameters.
        """
        training, dim = self.options.training, train.text_encoder.dim
        if training is not None:
            return dry_head(training, self.tower.dim, dim)
        if self.tower.head is not None:
            weight, bias = self.tower.head
            if bias.shape != (dim,):
                raise DataError(
                    f"the head in {self.options.backbone.describe()} predicts {len(bias)} "
                    f"numbers, the text encoder has {dim}"
                )
            return FoldedHead.of({"fc.weight": weight, "fc.bias": bias})
        _check_enough(train)
        rows = features(
            lambda: self.tower, self.tower_identity(), train.images, self.runtime, what=FIT
        )
        targets = train.targets.align(train.images.ids).rows
        weights = {record.image_id: record.weight for record in train.records}
        given = [weights[name] for name in train.images.ids]
        probe = fit_probe(rows, targets, self.options.penalties, weights=given)
        return FoldedHead(probe.weight, probe.bias)

    def _tune(self, training: TrainingOptions, train: TrainSet, artifact: Path) -> None:
        """Train, and write what came of it."""
        from safetensors.torch import save_file

        _check_enough(train)
        folder = artifact / FOLDER
        folder.mkdir()
        tuned = Tuning(self, training, train).run(folder)
        tuned.head.save(artifact)
        if tuned.tower is not None:
            save_file(dict(tuned.tower), artifact / TOWER_FILE)
        card = card_of(self.options.backbone.describe(), training, tuned, self.runtime)
        (folder / CARD).write_text(card, encoding="utf-8")
        self.forget_tower()

    def _fill_tower(self, path: Path) -> None:
        """Give the tower the parameters that training has changed.

        Raises:
            DataError: The file is missing, damaged, or of another tower.
        """
        import torch

        state = {name: torch.from_numpy(value) for name, value in read_tensors(path).items()}
        self.tower.fill(state, path)


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


def _check_enough(train: TrainSet) -> None:
    """Refuse a train split that no head can be fitted to."""
    if not len(train):  # the ensemble is used without an experiment
        raise DataError(NOTHING)
    if len(train) == 1:
        raise DataError("the train split has 1 image, and a head is fitted to 2 or more")
