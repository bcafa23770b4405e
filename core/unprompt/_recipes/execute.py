"""Train what a recipe says, and write the checkpoint with its card into the tower's folder."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from unprompt._files.cache import Cache
from unprompt._files.hashing import file_hash
from unprompt._files.refusals import room_needed
from unprompt._files.writing import replacing, write_text
from unprompt._members.cached_text import CachedTextEncoder
from unprompt._members.training import TrainingPart, read_training, write_training
from unprompt._recipes.captioning import Captioning
from unprompt._recipes.card import card
from unprompt._recipes.contrastive import Contrastive
from unprompt._recipes.images import image_tensor
from unprompt._recipes.loop import TrainingResult, steps_per_epoch, train
from unprompt._recipes.objective import Objective
from unprompt._recipes.recipe import (
    CaptioningConfig,
    ContrastiveConfig,
    Recipe,
    RecipeConfig,
    RegressionConfig,
)
from unprompt._recipes.regression import Regression
from unprompt._recipes.targets import Targets
from unprompt._registry.plugins import Registry
from unprompt.contracts import Dataset, Progress, Runtime, silent
from unprompt.errors import ConfigError, DataError, MissingFileError
from unprompt.towers import loading
from unprompt.towers.precision import check_device, resolved
from unprompt.towers.state import read_state

CARD = "README.md"


def execute(recipe: Recipe, registry: Registry, progress: Progress = silent) -> TrainingResult:
    """Train, and write checkpoint, tokenizer and card.

    Raises:
        ConfigError: The device cannot be used, or folders or data do not fit the recipe.
    """
    import torch

    check_device(recipe.config.runtime.device)
    config = recipe.config.model_copy(update={"runtime": resolved(recipe.config.runtime)})
    torch.manual_seed(config.seed)
    runtime = Runtime(**config.runtime.model_dump(), progress=progress)
    started = time.monotonic()
    dataset: Dataset = registry.build(recipe.dataset.spec, recipe.dataset.options)
    ids = [record.image_id for record in dataset.records()]
    steps_per_epoch(len(ids), config)  # fail now rather than after opening all images
    encoder = None
    if part := recipe.text_encoder:
        plain = registry.build(part.spec, part.options, runtime)
        encoder = CachedTextEncoder(plain, Cache.default())
    objective = make_objective(config, Targets.of(dataset, encoder, config.wordings))
    start = _load(objective, config.start.path) if config.start else ""
    parts = [*(read_training(config.start.path) if config.start else ()), _part(recipe, ids)]
    images = image_tensor(dataset.images().select(ids), objective.preprocess.size, runtime)
    result = train(objective, images, config, runtime.progress)
    _save(recipe, objective, result, start, parts, time.monotonic() - started)
    return result


def make_objective(config: RecipeConfig, targets: Targets) -> Objective:
    """The recipe's objective; see `Objective`."""
    if isinstance(config, ContrastiveConfig):
        return Contrastive(config, targets)
    if isinstance(config, RegressionConfig):
        return Regression(config, targets)
    assert isinstance(config, CaptioningConfig)  # there are no other objectives
    return Captioning(config, targets)


def _part(recipe: Recipe, ids: Sequence[str]) -> TrainingPart:
    """The recipe's own training."""
    config, plain = recipe.config, recipe.dataset.plain()
    count = len(ids) - config.validation
    return TrainingPart(**plain, images=count, seed=config.seed)


def _load(objective: Objective, folder: Path) -> str:
    """Fill the objective's model from a folder that a training wrote.

    Returns:
        SHA-256 of the checkpoint; the result of this training may replace them.
    """
    path = folder / objective.file
    try:
        state = read_state(path, "start")
        with loading(path, "start"):
            objective.load(state)
    except (DataError, MissingFileError) as error:
        raise ConfigError(error.problems) from error
    return file_hash(path)


def _save(
    recipe: Recipe,
    objective: Objective,
    result: TrainingResult,
    start: str,
    parts: Sequence[TrainingPart],
    seconds: float,
) -> None:
    """Write checkpoint, tokenizer, `training.FILE` and card, by rename; the card comes last.

    ``start`` and ``parts`` are `card`'s.
    """
    folder = recipe.config.tower.path
    with tempfile.TemporaryDirectory() as scratch:
        with room_needed(Path(scratch)):
            objective.save(result.model, Path(scratch))
        for written in sorted(Path(scratch).iterdir()):
            with replacing(folder / written.name) as part:
                shutil.copyfile(written, part)
        checkpoint_hash = file_hash(Path(scratch) / objective.file)
    write_training(folder, parts)
    text = card(
        recipe, result, start=start, parts=parts, checkpoint_hash=checkpoint_hash, seconds=seconds
    )
    write_text(folder / CARD, text)
