"""A tower with a head as a task to fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from unprompt import ConfigError, DataError
from unprompt.train import FEATURES, ROWS, Adapted, Adapter, Criterion, Inputs, Pixels, Task

if TYPE_CHECKING:
    import torch

    from unprompt.towers import ImageTower

TOWER, HEAD, EXTRAS = "tower", "head", "extras"
"""Parts of the model, and first words of its parameters' names."""

Pool = Callable[[Any, "torch.Tensor"], "torch.Tensor"]


class RegressorTask(Task):
    """Images -> rows of the target space, by a tower that changes and a head on it.

    Attributes:
        model: `TOWER`, `HEAD` and, for losses that need them, `EXTRAS`.
        pixels: What the tower does with images; with features nothing is to be done.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        pool: Pool,
        head: torch.nn.Module,
        criterion: Criterion,
        held_targets: torch.Tensor,
        pixels: Inputs,
    ) -> None:
        """Put the parts together.

        Args:
            network: The tower.
            pool: Tower and pixels -> features (n, F).
            head: Features -> rows (n, D).
            criterion: The loss on train images.
            held_targets: Targets of the validation images, unit rows.
            pixels: What the tower does with images; with features nothing is to be done.
        """
        from torch import nn

        parts = {TOWER: network, HEAD: head, EXTRAS: nn.ModuleDict(dict(criterion.extras))}
        self.model = nn.ModuleDict(parts)
        self.pixels = pixels
        self._pool, self._criterion, self._held = pool, criterion, held_targets
        self._layers: Mapping[str, int] = {}
        self._recompute: Callable[[Any], None] | None = None
        self._adapted: Adapted | None = None

    @classmethod
    def of_tower(
        cls,
        tower: ImageTower[Any],
        head: torch.nn.Module,
        criterion: Criterion,
        held_targets: torch.Tensor,
        adapter: Adapter | None,
    ) -> RegressorTask:
        """Fit a tower and a head together; see `__init__`.

        Args:
            tower: Is changed in place.
            head: On the tower.
            criterion: The loss on train images.
            held_targets: Targets of the validation images, unit rows.
            adapter: Fit adapters in the place of the tower's parameters.

        Raises:
            ConfigError: The tower cannot have such adapters.
            MissingFileError: peft is not installed.
        """
        adapted = Adapted(tower.network, adapter) if adapter else None
        pixels = Pixels.measured(tower.transform)
        task = cls(tower.network, type(tower).pool, head, criterion, held_targets, pixels)
        task._adapted, task._recompute = adapted, type(tower).recompute
        task._layers = {f"{TOWER}.{n}": i for n, i in type(tower).layers(tower.network).items()}
        return task

    @classmethod
    def of_head(
        cls, head: torch.nn.Module, criterion: Criterion, held_targets: torch.Tensor
    ) -> RegressorTask:
        """Fit a head alone, to features in the place of images; see `__init__`."""
        from torch import nn

        return cls(nn.Identity(), _features, head, criterion, held_targets, FEATURES)

    def loss(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """See `Task.loss`.

        Raises:
            DataError: There is one image, and the head needs the variance of several.
        """
        if len(rows) == 1 and "norm" in dict(model.get_submodule(HEAD).named_children()):
            raise DataError(
                "head: `mlp` cannot be fitted to one image at a time: take a larger `batch_size`, "
                "or a smaller `accumulate`"
            )
        predicted = self._predicted(model, pixels)
        extras = model.get_submodule(EXTRAS).named_children()
        outputs = {name: module(predicted) for name, module in extras}
        return self._criterion({**outputs, ROWS: predicted}, rows)

    def score(
        self, model: torch.nn.Module, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]
    ) -> Mapping[str, float]:
        """The mean cosine of the validation images."""
        import torch

        cosines = [
            torch.cosine_similarity(
                self._predicted(model, pixels).cpu().double(), self._held[rows].double()
            )
            for pixels, rows in batches
        ]
        return {"cosine": float(torch.cat(cosines).mean())}

    @property
    def depths(self) -> int:
        """One more than the tower's last layer."""
        return max(self._layers.values(), default=0) + 1

    def depth(self, name: str) -> int:
        """As the tower says it; what stands on it comes last."""
        return self._layers.get(name, self.depths)

    def save_memory(self) -> None:
        """See `Task.save_memory`."""
        if self._recompute is None:
            raise ConfigError("gradient_checkpointing: there is no tower to save memory in")
        self._recompute(self.model.get_submodule(TOWER))

    def start(self) -> dict[str, torch.Tensor]:
        """See `Task.start`: adapters predict nothing yet."""
        parameters = dict(super().start())
        return Adapted.untrained(parameters) if self._adapted is not None else parameters

    def merge(self) -> None:
        """Make adapters part of the tower's own parameters, where there are any."""
        if self._adapted is not None:
            self._adapted.merge()
            self._adapted = None

    def _predicted(self, model: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
        """Rows (n, D) of any length."""
        features = self._pool(model.get_submodule(TOWER), pixels)
        rows: torch.Tensor = model.get_submodule(HEAD)(features)
        return rows


def _features(network: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Features are all there is."""
    features: torch.Tensor = network(pixels)
    return features
