"""What every image tower is taught: the prompt's row and words, and what a teacher sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt.errors import ConfigError
from unprompt.train.material import Material
from unprompt.train.teacher import Teacher

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Curriculum:
    """What a recipe says of teaching.

    Attributes:
        contrast: Weight of a cross-entropy that asks which target of the batch is meant.
            The cosine alone sits long on the mean target; this term pulls it away.
        words: Weight of the cross-entropy with the prompt's words, see `Words`.
        distill: Weight of 1 - cosine with the teacher's image embedding.
        teacher: Folder of a trained CLIP.
    """

    contrast: float = 0.0
    words: float = 0.0
    distill: float = 0.0
    teacher: Path | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a student makes of a batch.

    Attributes:
        pooled: Of shape (n, width).
        tokens: Patch tokens of a middle layer, (n, side * side, width); None where it has none.
    """

    pooled: torch.Tensor
    tokens: torch.Tensor | None = None


class Lessons:
    """Linear heads on a student and their losses; saving a student leaves them out."""

    def __init__(
        self,
        material: Material,
        curriculum: Curriculum,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        """Load the teacher, where there is one.

        Args:
            material: N prompts, their rows and their words.
            curriculum: Weights, and the teacher's folder.
            mean: What the student's pixels are normalised with.
            std: Likewise.

        Raises:
            ConfigError: There is no teacher to distill, or it lives in a space of another width.
        """
        import torch

        self._targets = torch.from_numpy(material.targets)
        self._contrast, self._distill = curriculum.contrast, curriculum.distill
        self._weight = curriculum.words
        self._words = material.words if curriculum.words else None
        folder = curriculum.teacher
        self._teacher = Teacher(folder, mean, std) if folder else None
        if self._distill and self._teacher is None:
            raise ConfigError("distill: needs a `teacher`")
        if self._teacher and self._distill and self._teacher.dim != self._targets.shape[1]:
            raise ConfigError(
                f"distill: the teacher's embedding has {self._teacher.dim} numbers, "
                f"the target space {self._targets.shape[1]}: {folder}"
            )
        self._rows = torch.zeros(self._targets.shape if self._distill else (0, 0))

    def heads(self, width: int, *, patches: bool) -> dict[str, torch.nn.Module]:
        """The heads to train beside a student.

        Args:
            width: Of its pooled output and its tokens.
            patches: Whether it has patch tokens.
        """
        import torch

        heads: dict[str, torch.nn.Module] = {
            "fc": torch.nn.Linear(width, self._targets.shape[1]),
        }
        if self._words is not None:
            heads["words"] = self._words.head(width)
        if self._teacher is not None and patches:
            heads["tokens"] = torch.nn.Linear(width, self._teacher.channels)
        return heads

    def loss(
        self, model: torch.nn.Module, seen: Seen, pixels: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """Mean of 1 - cosine, plus the weighted cross-entropies and what the teacher says.

        Args:
            model: Holds the `heads` under their names.
            seen: What the student makes of the batch.
            pixels: The batch, of shape (n, 3, H, W).
            rows: Which of the N pictures they are, (n,).
        """
        import torch

        predicted = self.predicted(model, seen)
        cosines = predicted @ self._targets[rows].T  # (n, n)
        loss = 1 - cosines.diagonal().mean()
        if self._contrast:
            own = torch.arange(len(rows))
            loss = loss + self._contrast * torch.nn.functional.cross_entropy(20 * cosines, own)
        if self._words is not None:
            logits = model.get_submodule("words")(seen.pooled)
            loss = loss + self._weight * self._words.loss(logits, rows)
        if self._teacher is not None:
            loss = loss + self._taught(self._teacher, model, seen, predicted, pixels, rows)
        return loss

    def cosine(self, model: torch.nn.Module, seen: Seen, rows: torch.Tensor) -> float:
        """Mean cosine of the predicted rows with the targets."""
        return float((self.predicted(model, seen) * self._targets[rows]).sum(1).mean())

    def predicted(self, model: torch.nn.Module, seen: Seen) -> torch.Tensor:
        """Unit rows of shape (n, D)."""
        import torch

        predicted = model.get_submodule("fc")(seen.pooled)
        return torch.nn.functional.normalize(predicted.float(), dim=1)

    def _taught(
        self,
        teacher: Teacher,
        model: torch.nn.Module,
        seen: Seen,
        predicted: torch.Tensor,
        pixels: torch.Tensor,
        rows: torch.Tensor,
    ) -> torch.Tensor:
        """The teacher's terms: its feature map on the tokens, its embedding on the row."""
        import torch

        loss = torch.zeros(())
        features = None
        if seen.tokens is not None:
            tokens = model.get_submodule("tokens")(seen.tokens)
            features = teacher.look(pixels)
            wanted = teacher.tokens(features, math.isqrt(tokens.shape[1]))
            loss = loss + torch.nn.functional.mse_loss(tokens, wanted)
        if self._distill:
            embedded = self._embedded(teacher, features, pixels, rows)
            loss = loss + self._distill * (1 - (predicted * embedded).sum(1).mean())
        return loss

    def _embedded(
        self,
        teacher: Teacher,
        features: torch.Tensor | None,
        pixels: torch.Tensor,
        rows: torch.Tensor,
    ) -> torch.Tensor:
        """The teacher's unit rows (n, D).

        Without a feature map to go on from, a picture's row is kept from when it was first seen: a
        shift by a few pixels hardly moves it, and the teacher would cost a quarter of the time.
        """
        if features is not None:
            return teacher.rows(features)
        if not self._rows[rows].any(1).all():
            self._rows[rows] = teacher.rows(teacher.look(pixels))
        return self._rows[rows]
