"""An image tower that learns to predict the embedding of the prompt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unprompt.train.lessons import Curriculum, Lessons
from unprompt.train.material import Material
from unprompt.train.objective import save_half
from unprompt.train.students import open_student

if TYPE_CHECKING:
    import torch


class Regression:
    """1 - cosine of a linear head on an image tower (the seed's CLIP-L14 and CLIP-L16-384)."""

    def __init__(
        self, folder: Path, material: Material, curriculum: Curriculum | None = None
    ) -> None:
        """Build the tower of ``folder`` with random weights.

        Args:
            folder: Holds ``config.json``, and ``preprocessor_config.json`` if transformers has the
                tower.
            material: N prompts and their rows.
            curriculum: What it is taught besides.

        Raises:
            ConfigError: The folder or the teacher's does not fit.
        """
        import torch

        self._student = student = open_student(folder)
        self.size, self.mean, self.std = student.size, student.mean, student.std
        self._lessons = Lessons(material, curriculum or Curriculum(), self.mean, self.std)
        heads = self._lessons.heads(student.width, patches=student.patches)
        self.model = torch.nn.ModuleDict({"vision": student.module, **heads})

    def loss(self, pixels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """See `Lessons.loss`."""
        seen = self._student.see(self.model.get_submodule("vision"), pixels)
        return self._lessons.loss(self.model, seen, pixels, rows)

    def score(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, float]:
        """Mean cosine on the held-out pictures."""
        seen = self._student.see(model.get_submodule("vision"), pixels)
        return {"cosine": self._lessons.cosine(model, seen, rows)}

    def read(self, state: dict[str, torch.Tensor]) -> None:
        """Only the tower: the head starts from random weights again."""
        self.model.get_submodule("vision").load_state_dict(state)

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """Only the tower: a head is fitted to each experiment's own train split."""
        save_half(model.get_submodule("vision"), folder / "model.safetensors")
