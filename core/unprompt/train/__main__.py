"""``python -m unprompt.train RECIPE.yaml``: train a small tower and write it with its card."""

from __future__ import annotations

import argparse
import logging
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from unprompt.cache import Cache
from unprompt.console import guarded, progress_on
from unprompt.contracts import Dataset, Runtime
from unprompt.files import file_hash, replacing, write_text
from unprompt.registry import Registry
from unprompt.text.cached import CachedTextEncoder
from unprompt.train.card import card, start_hash
from unprompt.train.loop import Trained, train
from unprompt.train.objectives import Contrastive, Objective, Regression
from unprompt.train.pictures import picture_tensor
from unprompt.train.recipe import Recipe, RecipeConfig, load_recipe
from unprompt.train.teacher import Teacher
from unprompt.types import FloatArray


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m unprompt.train", description=__doc__)
    parser.add_argument("recipe", type=Path, help="a recipe, such as experiments/train/clip-a.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", dest="overrides")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("unprompt").setLevel(logging.INFO)
    with guarded():
        registry = Registry()
        run(load_recipe(arguments.recipe, registry, tuple(arguments.overrides)), registry)


def run(recipe: Recipe, registry: Registry) -> None:
    """Train what the recipe says and write weights and card into the tower's folder."""
    import torch

    config = recipe.config
    torch.manual_seed(config.seed)
    runtime = Runtime(**config.runtime.model_dump(), progress=progress_on())
    started, start = time.monotonic(), start_hash(recipe)
    dataset: Dataset = registry.build(recipe.dataset.spec, recipe.dataset.options)
    records = dataset.records()
    prompts = [record.prompt for record in records]
    encoder = registry.build(recipe.text_encoder.spec, recipe.text_encoder.options, runtime)
    targets = CachedTextEncoder(encoder, Cache.default()).encode(prompts)
    objective = make_objective(config, prompts, targets)
    images = dataset.images().select([record.image_id for record in records])
    pictures = picture_tensor(images, objective.size, runtime.progress)
    trained = train(objective, pictures, config, runtime.progress)
    text = _save(recipe, objective, trained, start, time.monotonic() - started)
    print(text)  # noqa: T201  # the command's result


def make_objective(config: RecipeConfig, prompts: Sequence[str], targets: FloatArray) -> Objective:
    """The recipe's objective, its model with the weights to start from.

    Args:
        config: The recipe.
        prompts: N prompts.
        targets: Their unit rows of shape (N, D).
    """
    objective: Objective
    folder = config.tower.path
    if config.objective == "contrastive":
        objective = Contrastive(
            folder,
            prompts,
            targets,
            vocabulary=config.vocabulary,
            semantics=config.semantics,
        )
    else:
        teacher = Teacher(config.teacher.path) if config.teacher else None
        objective = Regression(folder, targets, contrast=config.contrast, teacher=teacher)
    if config.start is not None:
        from safetensors.torch import load_file

        [weights] = config.start.path.glob("*.safetensors")
        objective.read(load_file(weights))
    return objective


def _save(
    recipe: Recipe, objective: Objective, trained: Trained, start: str, seconds: float
) -> str:
    """Write weights, tokenizer and card, each file by rename; the card comes last."""
    folder = recipe.config.tower.path
    with tempfile.TemporaryDirectory() as scratch:
        objective.save(trained.model, Path(scratch))
        for made in sorted(Path(scratch).iterdir()):
            with replacing(folder / made.name) as part:
                shutil.copyfile(made, part)
        weights = next(Path(scratch).glob("*.safetensors"))
        text = card(recipe, trained, start=start, weights_hash=file_hash(weights), seconds=seconds)
    write_text(folder / "README.md", text)
    return text


if __name__ == "__main__":
    main()
