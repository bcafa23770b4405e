"""Train what a recipe says, and write the checkpoint with its card into the tower's folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from unprompt._files.cache import Cache
from unprompt._files.hashing import content_hash, file_hash
from unprompt._files.refusals import room_needed
from unprompt._files.writing import check_writable, replacing, write_text
from unprompt._members.cached_text import CachedTextEncoder, key_of
from unprompt._members.training import TrainingPart, read_training, write_training
from unprompt._recipes.captioning import Captioning
from unprompt._recipes.card import card
from unprompt._recipes.contrastive import Contrastive
from unprompt._recipes.recipe import (
    CaptioningConfig,
    ContrastiveConfig,
    Recipe,
    RecipeConfig,
    RegressionConfig,
    TextConfig,
)
from unprompt._recipes.recipe_run import RecipeRun
from unprompt._recipes.regression import Regression
from unprompt._recipes.scoring import Tested, score_on_test
from unprompt._recipes.targets import Targets
from unprompt._recipes.text import Text
from unprompt._recipes.tower_task import TowerTask
from unprompt._registry.plugins import Registry
from unprompt.contracts import Progress, TextEncoder, silent
from unprompt.errors import ConfigError, DataError, MissingFileError, OutputError
from unprompt.towers import loading
from unprompt.towers.state import read_state
from unprompt.train.checkpoints import forget
from unprompt.train.fitting import check_fit, fit
from unprompt.train.job import Fitted, Job
from unprompt.types import Json

CARD = "README.md"


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a recipe.

    Attributes:
        task: With the trained model.
        fitted: What the loop says.
        tested: Its scores on the test images.
        start: SHA-256 of the checkpoint that training started from; empty for random ones.
        parts: The trainings behind that one, and this one.
        checkpoint: SHA-256 of the checkpoint written.
    """

    task: TowerTask
    fitted: Fitted
    tested: Tested
    start: str
    parts: Sequence[TrainingPart]
    checkpoint: str


def execute(
    recipe: Recipe,
    registry: Registry,
    progress: Progress = silent,
    *,
    resume: bool = True,
    runs: Path | None = None,
) -> Trained:
    """Train, or go on where an interrupted training was, and write checkpoint, tokenizer and card.

    Args:
        recipe: What to train.
        registry: Builds dataset and text encoder.
        progress: Shows steps.
        resume: Whether to go on from checkpoints that are there; else they are removed.
        runs: Where checkpoints and metrics lie; default: ``runs`` beside the recipe.

    Raises:
        ConfigError: The device cannot be used, folders or data do not fit the recipe, or there are
            checkpoints of other options.
    """
    import torch

    check_writable(recipe.config.tower.path / CARD)
    run = RecipeRun.of(recipe, registry, progress, runs)
    config = run.config
    if not resume:
        forget(run.folder)
    torch.manual_seed(config.training.seed)
    encoder = None
    if part := recipe.text_encoder:
        plain = registry.build(part.spec, part.options, run.runtime)
        encoder = CachedTextEncoder(plain, Cache.default())
    targets = Targets.of(run.dataset, encoder, config.wordings)
    task = make_task(config, targets)
    check_fit(config.training, run.runtime.device, lambda: task.depths)
    if config.training.gradient_checkpointing:
        task.save_memory()
    task.first = run.train
    start = _load(task, config.start.path) if config.start else ""
    task.prepare()
    before = read_training(config.start.path) if config.start else ()
    own = TrainingPart(**recipe.dataset.plain(), images=run.train, seed=config.training.seed)
    job = _job(run, task, _identity(run, targets, encoder, start))
    fitted = fit(job, progress)
    first = run.train + config.validation
    test = run.samples(task, first, len(run.records))
    trained = Trained(
        task=task,
        fitted=fitted,
        tested=score_on_test(task, test, run.runtime, first),
        start=start,
        parts=(*before, own),
        checkpoint=_save(config.tower.path, task),
    )
    write_training(config.tower.path, trained.parts)
    write_text(config.tower.path / CARD, card(recipe, trained))
    with suppress(OutputError):  # another process trains there by now
        forget(run.folder)
    return trained


def make_task(config: RecipeConfig, targets: Targets) -> TowerTask:
    """The task of the recipe's objective; see `TowerTask`."""
    if isinstance(config, TextConfig):
        return Text(config, targets)
    if isinstance(config, ContrastiveConfig):
        return Contrastive(config, targets)
    if isinstance(config, RegressionConfig):
        return Regression(config, targets)
    assert isinstance(config, CaptioningConfig)  # there are no other objectives
    return Captioning(config, targets)


def _job(run: RecipeRun, task: TowerTask, identity: Mapping[str, Json]) -> Job:
    """The fit of a recipe."""
    config, runtime = run.config, run.runtime
    training, records = config.training, run.records[: run.train]
    numbers = {record.prompt_id: i for i, record in enumerate(records)}
    end = run.train + config.validation
    return Job(
        name=config.name,
        task=task,
        train=run.samples(task, 0, run.train, augment=training.augment),
        validation=run.samples(task, run.train, end),
        options=training,
        folder=run.folder,
        identity=identity,
        prompts=[numbers[record.prompt_id] for record in records],
        device=runtime.device,
        precision=runtime.precision,
        threads=runtime.workers,
    )


def _identity(
    run: RecipeRun, targets: Targets, encoder: TextEncoder | None, start: str
) -> dict[str, Json]:
    """All that a training depends on beside its options for the loop, for checkpoints."""
    images = [run.images.digest(record.image_id) for record in run.records]
    config = run.recipe.plain()
    free = ("training", "runtime", "name", "tower", "start", "data", "text_encoder")
    own = {f"recipe.{name}": value for name, value in config.items() if name not in free}
    return {
        **own,
        "data": content_hash([images, list(targets.prompts), *map(list, targets.others)]),
        "text encoder": None if encoder is None else content_hash(key_of(encoder)),
        "start": start,
    }


def _load(task: TowerTask, folder: Path) -> str:
    """Fill the task's model from a folder that a training wrote.

    Returns:
        SHA-256 of the checkpoint; the result of this training may replace them.
    """
    path = folder / task.file
    try:
        state = read_state(path, "start")
        with loading(path, "start"):
            task.load(state)
    except (DataError, MissingFileError) as error:
        raise ConfigError(error.problems) from error
    return file_hash(path)


def _save(folder: Path, task: TowerTask) -> str:
    """Write checkpoint and tokenizer, by rename; returns the checkpoint's SHA-256."""
    with tempfile.TemporaryDirectory() as scratch:
        with room_needed(Path(scratch)):
            task.save(Path(scratch))
        for written in sorted(Path(scratch).iterdir()):
            with replacing(folder / written.name) as part:
                shutil.copyfile(written, part)
        return file_hash(Path(scratch) / task.file)
