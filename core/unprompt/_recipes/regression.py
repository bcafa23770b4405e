"""An image tower that learns to predict the embedding of the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unprompt._recipes.losses import EmbeddingLosses
from unprompt._recipes.models import build_tower
from unprompt._recipes.recipe import RegressionConfig
from unprompt._recipes.targets import Targets
from unprompt._recipes.tower_task import TowerTask

if TYPE_CHECKING:
    import torch


class Regression(TowerTask):
    """1 - cosine of a linear head on an image tower, and the other `EmbeddingLosses`.

    Only the tower is kept: a head is fitted to each experiment's own train split.
    """

    saved = "vision"

    def __init__(self, config: RegressionConfig, targets: Targets) -> None:
        """Build the tower that `build_tower` finds in the recipe's folder."""
        import torch

        self._candidates = config.candidates
        tower = build_tower(config.tower.path)
        self._forward, self.pixels = tower.forward, tower.pixels
        self._losses = EmbeddingLosses(config, targets, self.pixels)
        heads = self._losses.heads(tower.width, patches=tower.patches)
        self.model = torch.nn.ModuleDict({"vision": tower.model, **heads})

    def loss(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """See `EmbeddingLosses.loss`."""
        features = self._forward(model.get_submodule("vision"), pixels)
        return self._losses.loss(model, features, pixels, rows, self.drawn(self._candidates))

    def scores(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The cosine of prediction and target."""
        features = self._forward(model.get_submodule("vision"), pixels)
        return {"cosine": self._losses.cosines(model, features, rows)}
