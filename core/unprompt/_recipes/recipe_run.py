"""A recipe with its data opened: which images are trained on, chosen by, and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unprompt._config.location import is_packaged
from unprompt._files.paths import absolute, working_folder
from unprompt._recipes.images import BLANK, Blank, SquarePixels
from unprompt._recipes.recipe import Recipe, RecipeConfig
from unprompt._recipes.tower_task import TowerTask
from unprompt._registry.plugins import Registry
from unprompt._runs.files import training_folder
from unprompt.contracts import Dataset, Images, Progress, Record, Runtime
from unprompt.errors import ConfigError
from unprompt.towers.precision import check_device, resolved
from unprompt.train.augment import Step
from unprompt.train.pixels import Pixels
from unprompt.train.samples import Samples


@dataclass(frozen=True, slots=True)
class RecipeRun:
    """A recipe with its data opened.

    Attributes:
        recipe: What to train.
        config: Its options, with precision resolved.
        runtime: Device, precision and threads.
        dataset: Its dataset.
        records: The dataset's N rows.
        images: Their images.
        train: How many of the first ones are trained on.
        runs: Where checkpoints and metrics of all trainings lie.
    """

    recipe: Recipe
    config: RecipeConfig
    runtime: Runtime
    dataset: Dataset
    records: tuple[Record, ...]
    images: Images
    train: int
    runs: Path

    @classmethod
    def of(
        cls, recipe: Recipe, registry: Registry, progress: Progress, runs: Path | None
    ) -> RecipeRun:
        """Open the dataset. Raises ConfigError if the device or the sizes do not fit."""
        check_device(recipe.config.runtime.device)
        config = recipe.config.model_copy(update={"runtime": resolved(recipe.config.runtime)})
        runtime = Runtime(**config.runtime.model_dump(), progress=progress)
        dataset: Dataset = registry.build(recipe.dataset.spec, recipe.dataset.options)
        records = dataset.records()
        train = check_size(len(records), config)
        packaged = is_packaged(recipe.path)
        beside = working_folder() if packaged else absolute(recipe.path).parent
        images, folder = dataset.images(), runs or beside / "runs"
        return cls(recipe, config, runtime, dataset, records, images, train, folder)

    @property
    def folder(self) -> Path:
        """Where its checkpoints and metrics lie."""
        config = self.recipe.config
        return training_folder(self.runs, config.name, config.tower.path.name)

    def samples(
        self, task: TowerTask, first: int, end: int, augment: Sequence[Step] = ()
    ) -> Samples:
        """Some of the images, in the dataset's order."""
        training = self.config.training
        ids = tuple(record.image_id for record in self.records[first:end])
        pixels = task.pixels if task.reads_images else Pixels(1, *BLANK)
        source = self.images.source if task.reads_images else Blank()
        return Samples(
            Images(ids, source),
            SquarePixels(pixels),
            pixels,
            seed=training.seed,
            augment=augment,
            keep=training.keep_images,
        )


def check_size(count: int, config: RecipeConfig) -> int:
    """How many of ``count`` images are trained on. Raises ConfigError if they make no batch."""
    train = count - config.validation - config.test
    size = config.training.batch_size
    if train < size:
        raise ConfigError(
            f"training.batch_size: {count} images, of which {config.validation} are held out for "
            f"validation and {config.test} for the test, leave no batch of {size}"
        )
    return train
