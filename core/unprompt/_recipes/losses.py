"""Losses of an image tower that predicts the embedding and the words of the prompt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from unprompt._recipes.models import Features
from unprompt._recipes.recipe import EmbeddingConfig
from unprompt._recipes.targets import Targets
from unprompt._recipes.teacher import Teacher
from unprompt.errors import ConfigError
from unprompt.train.losses import cosine
from unprompt.train.pixels import Pixels
from unprompt.train.semantics import alike, contrast
from unprompt.train.sending import sent

if TYPE_CHECKING:
    import torch


class EmbeddingLosses:
    """Linear heads on an image tower and their losses; the heads are not saved."""

    def __init__(self, config: EmbeddingConfig, targets: Targets, pixels: Pixels) -> None:
        """Load the teacher, where there is one.

        Raises:
            ConfigError: It cannot be loaded, or its embedding has another width than the target
                space.
        """
        import torch

        self._config = config
        self._targets = torch.from_numpy(targets.embeddings)
        self._words = targets.words if config.words else None
        self._teacher = None
        if config.teacher:
            self._teacher = Teacher(config.teacher.path, pixels, config.runtime.device)
        # The teacher's, of the images that it was given so far; see `_embedded`.
        count = len(self._targets) if self._teacher and config.distill else 0
        self._embeddings = torch.zeros(count, self._teacher.dim if self._teacher else 0)

    def heads(self, width: int, *, patches: bool) -> dict[str, torch.nn.Module]:
        """The heads to train beside an image tower, whose outputs are ``width`` wide.

        Raises:
            ConfigError: There is a teacher, but nothing that it could teach.
        """
        import torch

        heads: dict[str, torch.nn.Module] = {"fc": torch.nn.Linear(width, self._targets.shape[1])}
        if self._words is not None:
            heads["words"] = self._words.head(width)
        if self._teacher is not None and self._config.distill:
            heads["distilled"] = torch.nn.Linear(width, self._teacher.dim)
        if self._teacher is not None and patches:
            heads["tokens"] = torch.nn.Linear(width, self._teacher.channels)
        elif self._teacher is not None and not self._config.distill:
            raise ConfigError("teacher: does nothing for a tower without patches, unless `distill`")
        return heads

    def loss(
        self,
        model: torch.nn.Module,
        features: Features,
        pixels: torch.Tensor,
        rows: torch.Tensor,
        others: torch.Tensor,
    ) -> torch.Tensor:
        """Mean of 1 - cosine, plus the weighted cross-entropies and the teacher's terms.

        Args:
            model: Holds the `heads` under their names.
            features: Of the image tower, for the batch.
            pixels: The batch, of shape (n, 3, H, W).
            rows: Which of the N images they are, (n,).
            others: Which other images' targets the contrast compares with, (m,).
        """
        import torch

        predicted = self.predicted(model, features)
        targets = sent(self._targets[torch.cat([rows, others])], predicted.device)  # (n + m, D)
        own = targets[: len(rows)]
        loss = cosine(predicted, own)
        if self._config.contrast:
            scale = self._config.alike
            term = contrast(predicted, targets, alike(own, targets, scale), scale)
            loss = loss + self._config.contrast * term
        if self._words is not None:
            logits = model.get_submodule("words")(features.pooled)
            loss = loss + self._config.words * self._words.loss(logits, rows)
        if self._teacher is not None:
            tokens = features.tokens
            if tokens is not None:
                tokens = model.get_submodule("tokens")(tokens)
            student = features.pooled
            if self._config.distill:
                student = model.get_submodule("distilled")(student)
            loss = loss + self._distillation(self._teacher, tokens, student, pixels, rows)
        return loss

    def cosines(
        self, model: torch.nn.Module, features: Features, rows: torch.Tensor
    ) -> torch.Tensor:
        """The cosine of each predicted embedding with its target, (n,)."""
        predicted = self.predicted(model, features)
        return (predicted * sent(self._targets[rows], predicted.device)).sum(1)

    def predicted(self, model: torch.nn.Module, features: Features) -> torch.Tensor:
        """Embeddings: unit rows of shape (n, D)."""
        import torch

        predicted = model.get_submodule("fc")(features.pooled)
        return torch.nn.functional.normalize(predicted.float(), dim=1)

    def _distillation(
        self,
        teacher: Teacher,
        tokens: torch.Tensor | None,
        student: torch.Tensor,
        pixels: torch.Tensor,
        rows: torch.Tensor,
    ) -> torch.Tensor:
        """The teacher's terms: its feature map for the tokens, its embedding for the student's."""
        import torch

        loss = student.new_zeros((), dtype=torch.float32)
        features = None
        if tokens is not None:
            features = teacher.features(pixels)
            wanted = teacher.tokens(features, math.isqrt(tokens.shape[1]))
            loss = loss + torch.nn.functional.mse_loss(tokens, wanted)
        if self._config.distill:
            embedded = self._embedded(teacher, features, pixels, rows)
            loss = loss + self._config.distill * cosine(student.float(), embedded)
        return loss

    def _embedded(
        self,
        teacher: Teacher,
        features: torch.Tensor | None,
        pixels: torch.Tensor,
        rows: torch.Tensor,
    ) -> torch.Tensor:
        """The teacher's unit rows (n, D).

        Without a feature map to go on from, an image's row is kept from its first time: a shift by
        a few pixels hardly moves it, and the teacher would cost a quarter of the time.
        """
        if features is not None:
            return teacher.embeddings(features)
        if not self._embeddings[rows].any(1).all():
            self._embeddings[rows] = teacher.embeddings(teacher.features(pixels)).cpu()
        return sent(self._embeddings[rows], pixels.device)
